"""The numbers of a run as its web page needs them: a summary, and columns for the charts."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from itertools import groupby, pairwise
from math import isfinite
from typing import Any

import numpy as np

from mrfs_ros.bag.journal import Entry
from mrfs_ros.types import ClassSet

MOST_POINTS = 10_000  # in a chart; more would make the page slow, and larger than 10 MB
MOST_MARKS = 2_000
MOST_BANDS = 200
METRICS = {"EN": "EN, entropy of the fused image [bit]", "SD": "SD, contrast of the fused image [grey levels]"}
YEAR_2000_NS = 946_684_800 * 10**9  # stamps before that count from the start of something


def clock(pairs: Sequence[Entry]) -> list[float]:
    """Seconds since the first pair, by header stamps; by time of recording where the stamps jump back."""
    if jumps_back(pairs):
        return [(entry.log_ns - pairs[0].log_ns) / 1e9 for entry in pairs]
    return [(entry.stamp_ns - pairs[0].stamp_ns) / 1e9 for entry in pairs]


def jumps_back(pairs: Sequence[Entry]) -> bool:
    return any(later.stamp_ns < earlier.stamp_ns for earlier, later in pairwise(pairs))


def summary_of(pairs: Sequence[Entry], times: Sequence[float], classes: ClassSet) -> dict[str, Any]:
    """Of all pairs, whatever the charts leave out."""
    answered = [entry for entry in pairs if not entry.problem]
    engine = 1000 * np.array([entry.seconds for entry in answered])
    begin = pairs[0].stamp_ns if pairs else 0
    duration = max(times, default=0.0) - min(times, default=0.0)
    return {
        "pairs": len(pairs),
        "answered": len(answered),
        "problems": Counter(entry.reason or entry.problem for entry in pairs if entry.problem).most_common(),
        "duration": duration,
        "rate": (len(pairs) - 1) / duration if duration > 0 else None,
        "begin": _date(begin) if begin > YEAR_2000_NS else "",
        "engine": {f"{q}": float(np.percentile(engine, q)) for q in (50, 95, 100)} if len(answered) else None,
        "classes": _classes(answered, classes),
        "every": _step(len(pairs)),
        "by_recording": jumps_back(pairs),
    }


def chart_data(pairs: Sequence[Entry], times: Sequence[float], classes: ClassSet) -> dict[str, Any]:
    """Columns of the charts; None where a pair has no such number. A chart without any number is left out."""
    step = _step(len(pairs))
    shown = pairs[::step]
    shares = [
        {"id": i, "name": html.escape(name), "color": list(classes.colors[i]), "values": _column(shown, _share(i))}
        for i, name in enumerate(classes.names)
        if i > 0
    ]
    lines = {"Engine time of a pair [ms]": _column(shown, lambda entry: 1000 * entry.seconds)}
    for key, title in METRICS.items():
        lines[title] = _column(shown, lambda entry, key=key: entry.metrics.get(key))
    lines["Thermal stamp minus rgb stamp [ms]"] = _column(shown, _gap)
    return {
        "t": [round(seconds, 4) for seconds in times[::step]],
        "shares": [share for share in shares if any(share["values"])],
        "lines": [{"title": title, "values": v} for title, v in lines.items() if any(x is not None for x in v)],
        **_problems(pairs, times),
    }


def for_script(data: Any) -> str:
    """JSON that may stand in a script element, whatever texts it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def _problems(pairs: Sequence[Entry], times: Sequence[float]) -> dict[str, Any]:
    """Pairs without an answer: ``bands`` between the answered ones around them, ``marks`` with their text."""
    bad = [place for place, entry in enumerate(pairs) if entry.problem]
    rows = [[place for _, place in row] for _, row in groupby(enumerate(bad), lambda pair: pair[1] - pair[0])]
    last = len(pairs) - 1
    bands = [[round(times[max(0, row[0] - 1)], 4), round(times[min(last, row[-1] + 1)], 4)] for row in rows]
    marks = [[round(times[i], 4), html.escape(f"pair {pairs[i].index}: {pairs[i].problem}"[:300])] for i in bad]
    visible = [band for band in bands if band[1] - band[0] > (times[-1] - times[0]) / 1000]
    longest = sorted(visible, key=lambda band: band[0] - band[1])[:MOST_BANDS]
    return {"bands": sorted(longest), "marks": marks[:: _step(len(marks), MOST_MARKS)]}


def _classes(answered: Sequence[Entry], classes: ClassSet) -> list[dict[str, Any]]:
    """Mean share [%] of each class, and in how many pairs it was seen [%]; the unlabelled pixels last, if any."""
    table = np.array([entry.shares for entry in answered if len(entry.shares) == len(classes) + 1])
    if not len(table):
        table = np.zeros((1, len(classes) + 1))
    rows = [
        {"id": i, "name": name, "color": color, "mean": 100 * share, "seen": 100 * seen, "shown": i > 0 and seen > 0}
        for i, (name, color, share, seen) in enumerate(
            zip((*classes.names, "no class"), (*classes.colors, (128, 128, 128)), table.mean(0), (table > 0).mean(0))
        )
    ]
    rows[-1]["shown"] = False
    return rows if rows[-1]["seen"] else rows[:-1]


def _share(number: int):
    def share(entry: Entry) -> float | None:
        return 100 * entry.shares[number] if number < len(entry.shares) else None

    return share


def _gap(entry: Entry) -> float | None:
    return None if entry.gap_ns is None else entry.gap_ns / 1e6


def _column(entries: Sequence[Entry], value: Any) -> list[float | None]:
    return [None if entry.problem else _number(value(entry)) for entry in entries]


def _number(value: float | None) -> float | None:
    return float(f"{value:.4g}") if value is not None and isfinite(value) else None


def _step(count: int, most: int = MOST_POINTS) -> int:
    return max(1, -(-count // most))


def _date(stamp_ns: int) -> str:
    return datetime.fromtimestamp(stamp_ns // 10**9, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
