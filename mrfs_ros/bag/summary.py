"""Summary of a run over one bag."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_READ, SOME_LOST = 0, 3


@dataclass(frozen=True)
class Summary:
    """``pairs`` were found, ``answered`` of them have results; ``resumed_at`` pairs are from an earlier run.

    ``skipped``: reason to count, of images and pairs that could not be used. ``damage``: what could not be read of
    the bag, one sentence each. ``unpaired``: rgb and thermal images in no pair, ``pairing_loss``: what went
    wrong with that, empty if nothing did. ``seconds``: of this run, ``engine_seconds`` of it in the engine.
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
    unpaired: tuple[int, int] = (0, 0)
    pairing_loss: str = ""

    @property
    def exit_code(self) -> int:
        """0 when every image was read and every pair found and answered, else 3; also 3 without a single pair."""
        lost = self.skipped or self.damage or self.pairing_loss or not self.pairs
        return SOME_LOST if lost else ALL_READ
