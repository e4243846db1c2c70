"""How a run over one bag ended."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_READ, SOME_LOST = 0, 3


@dataclass(frozen=True)
class Summary:
    """``pairs`` were found, ``answered`` of them have results; ``resumed_at`` pairs are from an earlier run.

    ``skipped``: reason to count, of images and pairs that could not be used. ``damage``: what could not be read of
    the bag, one sentence each. ``seconds``: of this run, ``engine_seconds`` of it in the engine.
    """

    source: str
    pairs: int
    answered: int
    resumed_at: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    damage: tuple[str, ...] = ()
    seconds: float = 0.0
    engine_seconds: float = 0.0
    results: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 when every image was read and every pair answered, else 3; also 3 without a single pair."""
        return SOME_LOST if self.skipped or self.damage or not self.pairs else ALL_READ
