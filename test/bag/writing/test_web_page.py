"""The web page of a run, looked at by a real browser; and its numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browser
from made_frames import made_entry, made_frame

from mrfs_ros.bag.journal import Entry
from mrfs_ros.bag.writing.page_data import MOST_POINTS, chart_data, clock, for_script, summary_of
from mrfs_ros.bag.writing.page_text import check_packages, write_report
from mrfs_ros.bag.writing.web_page import ReportSink
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE
from mrfs_ros.errors import MissingPackageError
from mrfs_ros.types import MFNET

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

EVIL = "/camera<script>window.evil = 1</script><img src=x onerror='window.evil = 2'>"
FACTS = {"bag": "evening drive", "topics": EVIL, "device": "cpu"}


def bad_entry(index: int) -> Entry:
    return made_entry(index, shares=(), metrics={}, problem=f"{EVIL} is no JPEG", reason="rgb_damaged")


@pytest.fixture(scope="module")
def needs_packages() -> None:
    pytest.importorskip("plotly", reason="needs plotly: pip install 'mrfs_ros[report]'")
    pytest.importorskip("jinja2", reason="needs Jinja2: pip install 'mrfs_ros[report]'")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


def write_run(target: Path, entries: list[Entry], notice: str = "", facts: dict[str, str] = FACTS) -> None:
    sink = ReportSink(target, MFNET, notice, entries=lambda: iter(entries), facts=lambda: facts)
    sink.resume(0)
    for entry in entries:
        if not entry.problem:
            frame = made_frame(entry.index)
            sink.write(frame, sink.encode(frame))
    sink.finish()


def shown(browser: Browser, page: Path, **window) -> None:
    """Open a page and hold it to what every page must keep."""
    browser.open(page, **window)
    assert browser.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))") == 1
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(("data:", page.as_uri()))] == []
    assert browser.run("typeof window.evil") == "undefined"
    assert browser.run("document.documentElement.scrollWidth <= window.innerWidth"), "the page is too wide"


@pytest.mark.parametrize("window", [{}, {"dark": True}, {"width": 390, "height": 844, "phone": True}])
def test_the_page_shows_charts_pictures_and_texts(browser, needs_packages, tmp_path, window):
    target = tmp_path / "report.html"
    entries = [bad_entry(i) if i in (3, 4) else made_entry(i) for i in range(30)]
    write_run(target, entries, UNTRAINED_NOTICE)
    assert list(tmp_path.iterdir()) == [target]
    shown(browser, target, **window)
    assert browser.run("document.querySelectorAll('#charts .subplot').length") == 6
    assert browser.run("document.querySelectorAll('#charts .scatterlayer .trace').length") >= 8 + 4
    widths = browser.run("[...document.querySelectorAll('#film img')].map(image => image.naturalWidth)")
    assert widths == [64] * 28
    texts = browser.run("document.body.innerText")
    assert EVIL in texts and "evening drive" in texts and "rgb_damaged 2" in texts
    assert texts.index(UNTRAINED_NOTICE) < texts.index("evening drive")
    assert browser.run("document.title") == "evening drive"


def test_pictures_enlarge_and_classes_can_be_hidden(browser, needs_packages, tmp_path):
    target = tmp_path / "report.html"
    write_run(target, [made_entry(i) for i in range(20)])
    shown(browser, target)
    assert UNTRAINED_NOTICE not in browser.run("document.body.innerText")
    assert browser.run("document.getElementById('large').open") is False
    browser.run("document.querySelectorAll('#film button')[2].click()")
    assert browser.run("document.getElementById('large').open") is True
    browser.run("document.getElementById('later').click()")
    assert browser.run("document.getElementById('large-text').textContent") == "0.10 s (4 of 20)"
    assert browser.run("document.getElementById('large-picture').complete") is True
    assert browser.run("document.querySelectorAll('#charts .shapelayer path').length") == 1  # where it is in time
    areas = "document.querySelectorAll('#charts .scatterlayer .fills path').length"
    before = browser.run(areas)
    browser.run("document.querySelector('#legend button').click()")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run(areas) < before
    assert browser.problems == []


def test_runs_with_nothing_or_little_to_show(browser, needs_packages, tmp_path):
    bare = [made_entry(0, thermal_stamp_ns=None, metrics={}, shares=(1.0, *[0.0] * 9))]
    for name, entries, charts in (("none", [], 0), ("bad", [bad_entry(i) for i in range(3)], 1), ("bare", bare, 1)):
        page = tmp_path / f"{name}.html"
        write_run(page, entries)
        shown(browser, page)
        assert browser.run("document.querySelectorAll('#charts .subplot').length") == charts, name
        assert browser.run("document.querySelectorAll('#film img').length") == (name == "bare")


def test_ten_thousand_pairs_and_more_stay_below_ten_megabytes(browser, needs_packages, tmp_path):
    one = made_entry(7)
    values = {name: getattr(one, name) for name in ("seconds", "shares", "metrics", "rgb_stamp_ns", "thermal_stamp_ns")}
    entries = [Entry(i, one.stamp_ns + i * 33_333_333, log_ns=i, **values) for i in range(2 * MOST_POINTS + 1)]
    page = tmp_path / "long.html"
    write_report(page, entries, {}, MFNET, FACTS)
    assert page.stat().st_size < 10e6
    shown(browser, page)
    assert "the charts show 1 of 3" in " ".join(browser.run("document.body.innerText").split())


def test_numbers_of_all_pairs():
    entries = [made_entry(0, seconds=0.1), bad_entry(1), made_entry(2, seconds=0.3)]
    times = clock(entries)
    assert times == pytest.approx([0, 1 / 30, 2 / 30], abs=1e-6)
    summary = summary_of(entries, times, MFNET)
    assert (summary["pairs"], summary["answered"], summary["problems"]) == (3, 2, [("rgb_damaged", 1)])
    assert summary["engine"]["50"] == pytest.approx(200) and summary["begin"] == "2023-11-14 22:13:20 UTC"
    assert summary["rate"] == pytest.approx(30, rel=1e-3)
    rows = {row["name"]: row for row in summary["classes"]}
    assert rows["car"]["mean"] == pytest.approx(100 * np.mean([e.shares[1] for e in (entries[0], entries[2])]))
    assert rows["car"]["seen"] == 50 and not rows["guardrail"]["shown"] and not rows["background"]["shown"]
    assert rows["no class"]["mean"] == pytest.approx(100 * 64 / (48 * 64))
    data = chart_data(entries, times, MFNET)
    assert data["bands"] == [[0.0, 0.0667]] and len(data["marks"]) == 1 and "<" not in data["marks"][0][1]
    assert [line["values"] for line in data["lines"] if "stamp" in line["title"]] == [[4.0, None, 4.0]]
    assert [share["values"][1] for share in data["shares"]] == [None] * len(data["shares"])


def test_stamps_that_jump_back_give_way_to_the_time_of_recording():
    entries = [made_entry(0), made_entry(5, stamp_ns=3), made_entry(6)]
    assert clock(entries) == pytest.approx([0, 5 / 30, 6 / 30], abs=1e-6)
    assert summary_of(entries, clock(entries), MFNET)["by_recording"]


def test_no_number_is_what_json_cannot_say():
    entries = [made_entry(0, metrics={"EN": float("nan"), "SD": float("inf")}), made_entry(1, metrics={})]
    data = chart_data(entries, clock(entries), MFNET)
    assert not any(line["title"].startswith(("EN", "SD")) for line in data["lines"])
    assert "</script" not in for_script({"a": "</script><!--"})


def test_without_the_packages_the_line_that_installs_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mrfs_ros\[report\]'"):
        check_packages()
