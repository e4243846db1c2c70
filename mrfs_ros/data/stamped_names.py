"""Partners among files whose names are stamps, as tools that unpack a bag write them: the nearest in time."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from itertools import pairwise
from statistics import median

from mrfs_ros.config import NodeConfig

LONGEST_GAP_S = 0.1
_EPOCH = re.compile(
    r"(?<!\d)(?:(?P<s>\d{1,10})\.(?P<part>\d{3,9})|(?P<s_>\d{9,10})[_-](?P<part_>\d{6}|\d{9})|(?P<n>\d{13}|\d{16}|\d{19}))(?!\d)"
)
_DATE = re.compile(
    r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[T_ -]?(\d\d)[-_:.]?(\d\d)[-_:.]?(\d\d)[-_.,]?(\d{9}|\d{6}|\d{3})Z?(?!\d)"
)


def stamp_ns(name: str) -> int | None:
    """The stamp [ns] that a file name (without its ending) has; None without one, or with several.

    Seconds with a fraction (1610001234.123456, 1610001234_123456789), milli-, micro- or nanoseconds since 1970 (13, 16
    or 19 digits), and date and time with a fraction of 3, 6 or 9 digits (2024-05-01T12-30-45.123, 20240501_123045123).

    Example:
        >>> stamp_ns("frame_1610001234.25000"), stamp_ns("1610001234250"), stamp_ns("frame_000123")
        (1610001234250000000, 1610001234250000000, None)
    """
    dates, epochs = [*_DATE.finditer(name)], [*_EPOCH.finditer(name)]
    if len(dates) == 1:
        *whole, part = dates[0].groups()
        try:
            moment = datetime(*map(int, whole), tzinfo=timezone.utc)
        except ValueError:
            return None
        return int(moment.timestamp()) * 10**9 + int(part.ljust(9, "0"))
    if len(epochs) != 1:
        return None
    if count := epochs[0]["n"]:
        return int(count.ljust(19, "0"))
    seconds, part = epochs[0]["s"] or epochs[0]["s_"], epochs[0]["part"] or epochs[0]["part_"]
    return int(seconds) * 10**9 + int(part.ljust(9, "0"))


def nearest_in_time(names: Sequence[str], others: Sequence[str]) -> tuple[dict[str, str], str]:
    """Names whose stamps are nearest to each other both ways, less than half of the quicker camera's period apart.

    Args:
        names, others: of the files of two folders, without their ending.

    Returns:
        Name -> other name, in the order of ``names``, and the rule with what it found, for people; both empty unless
        every name of both folders has one stamp of its own.
    """
    stamps, other_stamps = ({stamp_ns(name): name for name in folder} for folder in (names, others))
    for folder, known in ((names, stamps), (others, other_stamps)):
        if not folder or None in known or len(known) < len(folder):
            return {}, ""
    limit_s = min(_period_s(stamps) / 2, _period_s(other_stamps) / 2, LONGEST_GAP_S)
    ordered, other_ordered = sorted(stamps), sorted(other_stamps)
    gaps_s = {stamp: abs(_nearest(other_ordered, stamp) - stamp) / 1e9 for stamp in stamps}
    found, pair_gaps_s = {}, []
    for stamp, name in stamps.items():
        nearest = _nearest(other_ordered, stamp)
        if gaps_s[stamp] < limit_s and _nearest(ordered, nearest) == stamp:
            found[name] = other_stamps[nearest]
            pair_gaps_s.append(gaps_s[stamp])
    rule = f"stamps, less than {limit_s:.3f} s apart"
    if not found:
        return {}, f"{rule} (the nearest are {min(gaps_s.values()):.3f} s apart)"
    return found, f"{rule} (median {median(pair_gaps_s):.3f} s, largest {max(pair_gaps_s):.3f} s)"


def _period_s(stamps: Iterable[int]) -> float:
    """The median time between stamps; twice the node's ``slop_s`` where there is one stamp alone."""
    steps = [later - earlier for earlier, later in pairwise(sorted(stamps))]
    return median(steps) / 1e9 if steps else 2 * NodeConfig().slop_s


def _nearest(ordered: Sequence[int], stamp: int) -> int:
    """The one of ``ordered`` that is nearest to ``stamp``; of two alike the earlier."""
    at = bisect_left(ordered, stamp)
    return min(ordered[max(at - 1, 0) : at + 1], key=lambda other: abs(other - stamp))
