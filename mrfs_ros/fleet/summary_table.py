"""Table of how many bags ended, for people; the same facts for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from mrfs_ros.fleet import remote_files
from mrfs_ros.fleet.task import Outcome

TABLE, FACTS = "summary.md", "summary.json"
COLUMNS = ("bag", "pairs", "answered", "skipped", "unpaired", "damage", "seconds", "frames/s", "state")


def markdown(outcomes: Sequence[Outcome]) -> str:
    """A row for each bag, one for all of them, and below it each bag's losses and damage."""
    rows = [COLUMNS, ("---", *["---:"] * 7, "---"), *map(_row, outcomes), _total(outcomes)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    losses = [f"- {outcome.name}: {loss}" for outcome in outcomes for loss in _losses(outcome)]
    return "\n".join([*lines, *(["", *losses] if losses else [])]) + "\n"


def write(outcomes: Sequence[Outcome], folder: str) -> None:
    """Write summary.md and summary.json into a folder, path or URL, each whole or not at all."""
    facts = [
        {**asdict(outcome), "state": outcome.state, "frames_per_s": _rate([outcome]), "skipped": _skipped(outcome)}
        for outcome in outcomes
    ]
    remote_files.put_text(remote_files.joined(folder, TABLE), markdown(outcomes))
    remote_files.put_text(remote_files.joined(folder, FACTS), json.dumps({"bags": facts}, indent=1) + "\n")


def table(folder: str) -> str:
    """The table that ``write`` left in a folder."""
    return remote_files.read_text(remote_files.joined(folder, TABLE)) or ""


def problems(folder: str) -> dict[str, str]:
    """Why bags failed, by name, as the last call wrote it into a folder."""
    try:
        bags = json.loads(remote_files.read_text(remote_files.joined(folder, FACTS)) or "")["bags"]
        return {bag["name"]: str(bag["problem"]) for bag in bags}
    except (ValueError, KeyError, TypeError, OSError):
        return {}


def line(outcome: Outcome) -> str:
    """How a bag ended, in one line."""
    if outcome.summary is None:
        return f"{outcome.name}: {outcome.state}"
    summary = outcome.summary
    resumed = f", {summary.resumed_at} of them from an earlier run" if summary.resumed_at else ""
    return f"{outcome.name}: {outcome.state}, {summary.answered} of {summary.pairs} pairs{resumed}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    if outcome.summary is None:
        return (_cell(outcome.name), *[""] * 7, _cell(outcome.state))
    summary = outcome.summary
    counts = (summary.pairs, summary.answered, _skipped(outcome), sum(summary.unpaired), len(summary.damage))
    numbers = (*map(str, counts), f"{summary.seconds:.1f}", f"{_rate([outcome]):.1f}")
    return _cell(outcome.name), *numbers, _cell(outcome.state)


def _total(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Sums; seconds are those of the engines together, so that frames/s is what one of them does."""
    run = [outcome for outcome in outcomes if outcome.summary]
    summaries = [outcome.summary for outcome in run]
    counts = (
        sum(s.pairs for s in summaries),
        sum(s.answered for s in summaries),
        sum(map(_skipped, run)),
        sum(sum(s.unpaired) for s in summaries),
        sum(len(s.damage) for s in summaries),
    )
    whole = sum(outcome.whole for outcome in outcomes)
    return (
        "all", *map(str, counts), f"{sum(s.seconds for s in summaries):.1f}", f"{_rate(run):.1f}",
        f"{whole} of {len(outcomes)} done",
    )  # fmt: skip


def _skipped(outcome: Outcome) -> int:
    return sum(outcome.summary.skipped.values()) if outcome.summary else 0


def _rate(outcomes: Sequence[Outcome]) -> float:
    """Pairs of these runs a second of theirs; those of earlier runs, answered or not, left out."""
    summaries = [outcome.summary for outcome in outcomes if outcome.summary]
    seconds = sum(s.seconds for s in summaries)
    return sum(max(s.pairs - s.resumed_at, 0) for s in summaries) / seconds if seconds else 0.0


def _losses(outcome: Outcome) -> list[str]:
    if outcome.summary is None:
        return []
    skipped = [f"{count} skipped: {reason}" for reason, count in outcome.summary.skipped.items()]
    unpaired = [outcome.summary.pairing_loss] if outcome.summary.pairing_loss else []
    return [_cell(text) for text in (*skipped, *unpaired, *outcome.summary.damage)]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
