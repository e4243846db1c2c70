"""The table of how many bags ended."""

from __future__ import annotations

from mrfs_ros.bag.summary import Summary
from mrfs_ros.fleet import summary_table
from mrfs_ros.fleet.task import Outcome


def test_the_table():
    summary = Summary(
        "x", 10, 8, 2, {"decode": 2}, ("a | b",), 4.0, unpaired=(3, 1), pairing_loss="images without a partner"
    )
    table = summary_table.markdown(
        [
            Outcome(bag="x", name="x", summary=summary),
            Outcome(bag="y", name="y", summary=Summary("y", 4, 4, seconds=1.0), earlier=True),
            Outcome(bag="z", name="z", problem="two\nlines"),
        ]
    )
    assert table == (
        "| bag | pairs | answered | skipped | unpaired | damage | seconds | frames/s | state |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
        "| x | 10 | 8 | 2 | 4 | 1 | 4.0 | 2.0 | partly |\n"
        "| y | 4 | 4 | 0 | 0 | 0 | 1.0 | 4.0 | done earlier |\n"
        "| z |  |  |  |  |  |  |  | failed: two lines |\n"
        "| all | 14 | 12 | 2 | 4 | 1 | 5.0 | 2.4 | 1 of 3 done |\n"
        "\n- x: 2 skipped: decode\n- x: images without a partner\n- x: a \\| b\n"
    )


def test_the_rate_is_of_this_run_and_never_negative():
    resumed = Outcome(bag="x", name="x", summary=Summary("x", 20, 8, 16, {"decode": 12}, seconds=2.0))
    row, total = summary_table.markdown([resumed]).splitlines()[2:4]
    assert "| 2.0 | 2.0 | partly |" in row and "| 2.0 | 2.0 |" in total
