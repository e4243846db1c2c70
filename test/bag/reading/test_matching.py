"""Pairs by stamp, however the bag was recorded: what is paired, what is left, and what is said of it."""

from __future__ import annotations

import csv
from dataclasses import replace

import av
import pytest
from bags import PERIOD_NS, START_NS, images, pairs, read_bag, write_bag
from hypothesis import given, settings
from hypothesis import strategies as st
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.reading.image_index import ImageIndex
from mrfs_ros.bag.reading.matching import match
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig

COUNT = 24
MS = 10**6
RGB_TOPIC = "/rgb/image"


def drive(count: int = COUNT) -> list:
    return list(pairs(count, size=(32, 40)))


def restamped(entry, change):
    """The message of a bag entry with its stamp [ns] changed."""
    topic, log_ns, kind, content = entry
    stamp = content.header.stamp
    ns = change(stamp.sec * 10**9 + stamp.nanosec)
    stamp = replace(stamp, sec=ns // 10**9, nanosec=ns % 10**9)
    return topic, log_ns, kind, replace(content, header=replace(content.header, stamp=stamp))


def thermal_restamped(entries, change, first=0):
    return [
        entry if entry[0] == RGB_TOPIC or i < first else restamped(entry, change) for i, entry in enumerate(entries)
    ]


def recorded_now(entries):
    """As a script records them: one after the other, a millisecond apart, long after their stamps."""
    return [(topic, START_NS + 10**12 + i * MS, kind, m) for i, (topic, _, kind, m) in enumerate(entries)]


def of(entries, *, thermal: bool):
    return [entry for entry in entries if (entry[0] != RGB_TOPIC) == thermal]


def run(tmp_path, entries, *, name="drive", **more):
    said = []
    bag = write_bag(tmp_path / name, entries)
    results = {"out": str(tmp_path / f"{name}_out"), "csv": str(tmp_path / f"{name}.csv")}
    asked = BagSettings(source=str(bag), **{**results, **more})
    summary = run_bag(asked, StubEngine(), say=said.append)
    return summary, "\n".join(said[1:])


def answers(tmp_path, name="drive"):
    return {
        stamp: image.tobytes() for stamp, image in images(read_bag(tmp_path / f"{name}_out")["/mrfs/fused"]).items()
    }


def table(tmp_path, name="drive"):
    return list(csv.DictReader((tmp_path / f"{name}.csv").open()))


def test_a_video_of_pairs_by_stamp_plays_at_the_cameras_rate(tmp_path):
    """Recorded by a script in no time, one topic after the other, at 10 Hz by stamp."""
    entries = drive()
    parts = of(entries, thermal=False) + of(entries, thermal=True)
    run(tmp_path, recorded_now(parts), video=str(tmp_path / "script.mp4"))
    with av.open(str(tmp_path / "script.mp4")) as video:
        assert video.streams.video[0].average_rate == 10


@pytest.mark.parametrize("thermal_first", [False, True])
def test_one_topic_after_the_other_gives_the_pairs_of_a_drive(tmp_path, thermal_first):
    entries = drive()
    run(tmp_path, entries)
    parts = [of(entries, thermal=thermal_first), of(entries, thermal=not thermal_first)]
    summary, said = run(tmp_path, recorded_now(parts[0] + parts[1]), name="script", copy=("all",))
    assert (summary.answered, summary.exit_code, summary.unpaired) == (COUNT, 0, (0, 0))
    assert said == (
        f"the order of recording keeps pairs apart (10 pairs in that order, {COUNT} by stamp alone): paired by stamp"
    )
    assert answers(tmp_path, "script") == answers(tmp_path)
    made = read_bag(tmp_path / "script_out")
    assert {topic: len(made[topic]) for topic in ("/rgb/image", "/thermal/image")} == {
        "/rgb/image": COUNT,
        "/thermal/image": COUNT,
    }


def test_a_video_of_one_topic_after_the_other_has_the_cameras_rate(tmp_path):
    import av

    entries = drive()
    mixed = recorded_now(of(entries, thermal=False) + of(entries, thermal=True))
    run(tmp_path, mixed, video=str(tmp_path / "v.mp4"))
    with av.open(str(tmp_path / "v.mp4")) as video:
        assert float(video.streams.video[0].average_rate) == pytest.approx(10)


def test_a_bag_in_the_usual_order_is_paired_as_the_node_does(tmp_path):
    """Thermal is answered with the rgb image that waits, though a nearer one comes later."""
    entries = thermal_restamped(drive(), lambda ns: ns + 80 * MS)
    summary, said = run(tmp_path, entries, node=NodeConfig(slop_s=0.09))
    assert [row["gap_ms"] for row in table(tmp_path)] == ["84.000"] * COUNT
    assert summary.exit_code == 3
    assert said.endswith(
        f"{COUNT} of {COUNT} pairs are a frame apart (such as 84.0 ms, of a period of 100.0 ms): "
        "slop_s = 0.09 s is too much for these cameras, set it to little more than half their period: --slop "
        "0.0525"
    )


def test_an_image_that_was_lost_shifts_pairs_only_in_sight(tmp_path):
    """At 30 Hz the default slop_s pairs an image with the next one's partner; the node does, and so it is said."""

    def fast(entries):
        for topic, log_ns, kind, content in entries:
            i, lag = divmod(log_ns - START_NS, PERIOD_NS)
            ns = START_NS + i * 33 * MS + lag
            yield restamped((topic, ns, kind, content), lambda _, ns=ns: ns)

    entries = list(fast(drive()))
    assert run(tmp_path, entries)[0].exit_code == 0
    summary, said = run(tmp_path, [e for i, e in enumerate(entries) if i != 10], name="lost")
    assert summary.exit_code == 3 and "18 of 23 pairs are a frame apart (such as 29.0 ms" in said
    assert "frame apart" in summary.pairing_loss
    summary, said = run(
        tmp_path, [e for i, e in enumerate(entries) if i != 10], name="mended", node=NodeConfig(slop_s=0.0173)
    )
    assert (summary.exit_code, summary.unpaired) == (3, (0, 1))
    assert "apart" not in said and {row["gap_ms"] for row in table(tmp_path, "mended")} == {"4.000"}


@pytest.mark.parametrize(
    "change, gap",
    [
        (lambda ns: 0, "1700000000.000"),
        (lambda ns: ns - START_NS + 5 * 10**9, "16999999"),
        (lambda ns: ns + 10**17, "99999"),
    ],
    ids=["zero", "since boot", "far in the future"],
)
def test_clocks_that_differ(tmp_path, change, gap):
    entries = thermal_restamped(drive(), change)
    summary, said = run(tmp_path, entries)
    assert (summary.pairs, summary.exit_code, summary.unpaired) == (0, 3, (COUNT, COUNT))
    assert f"no pairs: {COUNT} rgb and {COUNT} thermal images were read, the nearest stamps {gap}" in said
    assert said.endswith(
        "the cameras' clocks differ: synchronize them, or stamp both with the same clock; by the time of recording "
        f"there are {COUNT} pairs instead of 0: --stamp recorded"
    )
    summary, said = run(tmp_path, entries, name="recorded", stamp="recorded")
    assert (summary.answered, summary.exit_code, said) == (COUNT, 0, "")
    assert list(answers(tmp_path, "recorded")) == [START_NS + i * PERIOD_NS for i in range(COUNT)]  # rgb's own stamps
    assert {row["gap_ms"] for row in table(tmp_path, "recorded")} == {"4.000"}


def test_stamps_beyond_their_range_name_the_way(tmp_path):
    entries = thermal_restamped(drive(), lambda ns: ns - START_NS - 10**9)  # before 1970, as a clock of -1 s
    summary, said = run(tmp_path, entries, name="out_of_range")
    assert summary.skipped["bad_stamp"] == 10 and summary.exit_code == 3
    assert "10 images skipped (bad_stamp): stamp: expected 0 to 2147483548 s, got -1 s; --stamp recorded takes" in said
    assert run(tmp_path, entries, name="recorded", stamp="recorded")[0].answered == COUNT


def test_deep_thermal_by_the_time_of_recording_moves_its_window(tmp_path):
    """With stamps of 0 the window would stand still: times of recording give the grey of right stamps."""

    def deep(entries):
        for topic, log_ns, kind, content in entries:
            if topic != RGB_TOPIC:
                data = (content.data.astype("u2") * 10 + 20000 + (log_ns - START_NS) // 10**8 * 50).astype("<u2")
                content = replace(content, encoding="mono16", step=2 * content.step, data=data.view("u1"))
            yield topic, log_ns, kind, content

    entries = list(deep(drive()))
    run(tmp_path, entries, pairs=str(tmp_path / "right"))
    run(
        tmp_path,
        thermal_restamped(entries, lambda ns: 0),
        name="zero",
        stamp="recorded",
        pairs=str(tmp_path / "zero_p"),
    )
    grey = [sorted((tmp_path / folder / "thermal").iterdir()) for folder in ("right", "zero_p")]
    assert len(grey[0]) == COUNT
    assert [path.read_bytes() for path in grey[0]] == [path.read_bytes() for path in grey[1]]


def test_a_clock_that_falls_back(tmp_path):
    entries = thermal_restamped(drive(), lambda ns: ns - 3 * 10**9, first=COUNT)
    summary, said = run(tmp_path, entries)
    half = COUNT // 2
    assert (summary.answered, summary.exit_code, summary.unpaired) == (half, 3, (half, half))
    assert (
        f"images without a partner: {half} of {COUNT} rgb, {half} of {COUNT} thermal; the thermal stamps fall back by "
        "2.90 s in the bag and those of the other camera do not: that clock was set while it recorded; by the time of "
        f"recording there are {COUNT} pairs instead of {half}: --stamp recorded"
    ) in said
    assert run(tmp_path, entries, name="recorded", stamp="recorded")[0].answered == COUNT


@pytest.mark.parametrize(
    "lost, left, exit_code, text",
    [
        ({11}, (1, 0), 3, "no thermal image is left for the rgb image 0.50 s after the first rgb image"),
        ({10}, (0, 1), 3, "no rgb image is left for the thermal image 0.50 s after the first thermal image"),
        ({1, 3, 5}, (3, 0), 3, "for the rgb images 0.00 to 0.20 s after the first rgb image"),
        (range(24, 48, 2), (0, 12), 3, "for the thermal images 1.20 to 2.30 s after the first thermal image"),
        ({0}, (0, 1), 0, "(of a faster camera, or at an end of the bag: no loss)"),
        ({47}, (1, 0), 0, "(of a faster camera, or at an end of the bag: no loss)"),
        ([i for i in range(1, 48, 2) if i % 6 != 1], (16, 0), 0, "images without a partner: 16 of 24 rgb, 0 of 8 th"),
    ],
)
def test_images_without_a_partner_are_counted_and_said(tmp_path, lost, left, exit_code, text):
    summary, said = run(tmp_path, [entry for i, entry in enumerate(drive()) if i not in lost])
    assert (summary.unpaired, summary.exit_code, bool(summary.pairing_loss)) == (left, exit_code, exit_code == 3)
    assert text in said
    assert tuple(sum(int(row[f"unpaired_{name}"]) for row in table(tmp_path)) for name in ("rgb", "thermal")) == left


def test_the_table_counts_them_where_they_came(tmp_path):
    run(tmp_path, [entry for i, entry in enumerate(drive(12)) if i not in (5, 6)], every=2)
    rows = [(row["unpaired_rgb"], row["unpaired_thermal"]) for row in table(tmp_path)]
    assert rows == [("0", "0"), ("1", "1"), ("0", "0"), ("0", "0"), ("0", "0")]


def test_the_page_says_them(tmp_path):
    run(tmp_path, [entry for i, entry in enumerate(drive()) if i != 11], report=str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "<b>Without a partner:</b>" in page and "1 of 24 rgb, 0 of 23 thermal; no thermal image is left" in page


def test_pairs_far_apart_wait_on_disk(tmp_path, monkeypatch):
    """A damaged bag is read in one way; its messages that wait do not fill the memory."""
    import mrfs_ros.bag.reading.bag_pairs as module
    from mrfs_ros.bag.reading.waiting_messages import Waiting

    entries = drive()
    bag = recorded_now(of(entries, thermal=False) + of(entries, thermal=True))
    run(tmp_path, bag)
    monkeypatch.setattr(module, "Waiting", lambda: Waiting(limit=10_000))
    monkeypatch.setattr(module.PairReader, "_from_each_camera", module.PairReader._in_order)
    run(tmp_path, bag, name="small")
    assert answers(tmp_path, "small") == answers(tmp_path)


def indexed(order, stamps) -> ImageIndex:
    index = ImageIndex()
    for place, (camera, number) in enumerate(order):
        index.add(camera, stamps[camera][number], place * MS)
    return index


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(2, 40), st.integers(1, 20))
def test_any_order_of_the_two_topics_gives_the_same_pairs(data, count, lag_ms):
    """However the cameras' messages, each in its own order, are recorded between each other."""
    stamps = [[START_NS + i * PERIOD_NS + camera * lag_ms * MS for i in range(count)] for camera in (0, 1)]
    cameras = data.draw(st.permutations([0] * count + [1] * count))
    numbers = [0, 0]
    order = []
    for camera in cameras:
        order.append((camera, numbers[camera]))
        numbers[camera] += 1
    found = match(indexed(order, stamps), NodeConfig(), 0.0)
    assert sorted(zip(*found.numbers)) == [(i, i) for i in range(count)]


def test_a_camera_that_is_answered_alone_has_its_partner_recorded_later(tmp_path):
    """on_missing takes silence by the stamps, too, where the order of recording says nothing."""
    entries = drive()
    mixed = recorded_now(of(entries, thermal=False) + of(entries, thermal=True))
    mixed = [(t, START_NS + 10**12 + i * 100 * MS, k, m) for i, (t, _, k, m) in enumerate(mixed)]
    summary, _ = run(tmp_path, mixed, node=NodeConfig(on_missing="rgb_only"))
    assert (summary.pairs, summary.exit_code) == (COUNT, 0)
    assert all(row["gap_ms"] == "4.000" for row in table(tmp_path))


@settings(max_examples=100, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.sampled_from([(10, 10), (30, 30), (30, 9), (30, 25), (60, 30)]),
    st.integers(1, 3),
    st.sampled_from(["drop", "rgb_only", "thermal_only"]),
)
def test_a_usual_recording_is_paired_in_its_order(random, rates, loops, on_missing):
    """With lost images, jitter, loops and late messages: the node's pairs, to the byte, and none by stamp alone."""
    events = []
    for loop in range(loops):
        for camera, rate_hz in enumerate(rates):
            for i in range(2 * rate_hz):
                if random.random() > 0.05:
                    stamp_ns = int((i / rate_hz + 0.004 * camera + random.uniform(0, 0.002)) * 1e9)
                    events.append((stamp_ns + loop * 2 * 10**9 + int(random.uniform(0, 0.01) * 1e9), camera, stamp_ns))
    index = ImageIndex()
    for log_ns, camera, stamp_ns in sorted(events):
        index.add(camera, stamp_ns, log_ns)
    assert not match(index, NodeConfig(on_missing=on_missing, missing_timeout_s=0.4), 0.0).by_stamp
