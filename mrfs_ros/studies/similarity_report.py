"""The similarities of many pairs written down: Markdown for people, JSON for programs, a sentence on their course."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mrfs_ros.studies.similarity import PairSimilarity

PLACES = {"before": "before IGM-Att", "after": "after IGM-Att"}
MEASURES = {"cka": "linear CKA", "cosine": "cosine"}


def values(pairs: Sequence[PairSimilarity], place: str, measure: str) -> np.ndarray:
    """(pairs, blocks) float64 of a ``Similarity``'s field, at one of ``PLACES``."""
    return np.array([[getattr(block, measure) for block in getattr(pair, place)] for pair in pairs])


def as_json(pairs: Sequence[PairSimilarity], facts: dict[str, str]) -> dict[str, Any]:
    """Everything as plain types: mean and standard deviation over pairs for each block, and every pair."""
    summary = {
        place: {
            measure: {"mean": found.mean(axis=0).tolist(), "std": found.std(axis=0).tolist()}
            for measure in (m + chance for m in MEASURES for chance in ("", "_chance"))
            for found in [values(pairs, place, measure)]
        }
        for place in PLACES
    }
    return {"facts": facts, "blocks": summary, "pairs": [asdict(pair) for pair in pairs]}


def markdown(pairs: Sequence[PairSimilarity]) -> str:
    """A table of the means over pairs, several with their standard deviation, and what the course over blocks says."""
    lines = [["features", "similarity", *(f"block {number}" for number in range(1, 5))], ["---", "---", *["---:"] * 4]]
    for place, where in PLACES.items():
        for measure, name in MEASURES.items():
            for suffix, remark in (("", ""), ("_chance", ", chance")):
                found = values(pairs, place, measure + suffix)
                means, spreads = found.mean(axis=0), found.std(axis=0)
                cells = (f"{m:.2f} ± {s:.2f}" if len(pairs) > 1 else f"{m:.2f}" for m, s in zip(means, spreads))
                lines.append([where, name + remark, *cells])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table}\n\n{courses(pairs)}\n"


def courses(pairs: Sequence[PairSimilarity]) -> str:
    """For each measure whether its mean rises with every block, as it would if the features converged with depth."""
    sentences = ["Features that converge with depth would be more alike in every block than in the one before:", ""]
    for place, where in PLACES.items():
        for measure, name in MEASURES.items():
            means = values(pairs, place, measure).mean(axis=0)
            rises = "rises with every block" if (np.diff(means) > 0).all() else "does not rise with every block"
            ends = f"highest in block {means.argmax() + 1}, lowest in block {means.argmin() + 1}"
            sentences.append(f"- {where}, {name} {rises}: {ends}")
    return "\n".join(sentences)
