"""Similarity of the rgb and thermal features of a block: linear CKA and cosine similarity, beside chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mrfs_ros.studies.feature_maps import BlockFeatures

NOTHING_VARIES = 1e-20  # share of the squared features that rounding leaves of constant ones after centring


@dataclass(frozen=True)
class Similarity:
    """Of two feature maps: 1 = alike; CKA from 0, cosine from -1.

    ``cka_chance``, ``cosine_chance``: with the thermal map displaced by half the image along both sides, so that every
    pixel shows another place. What is no more than this says nothing of what both cameras see: where a map has few
    pixels for its channels, CKA is high by itself.
    """

    cka: float
    cka_chance: float
    cosine: float
    cosine_chance: float


@dataclass(frozen=True)
class PairSimilarity:
    """Of one pair, blocks 1 to 4: the encoders' features ``before`` IGM-Att, and ``after`` it."""

    name: str
    before: tuple[Similarity, ...]
    after: tuple[Similarity, ...]


def pair_similarity(name: str, blocks: Sequence[BlockFeatures]) -> PairSimilarity:
    """The similarities of all ``blocks`` of the pair ``name``."""
    return PairSimilarity(
        name,
        tuple(similarity(block.rgb_before, block.thermal_before) for block in blocks),
        tuple(similarity(block.rgb_after, block.thermal_after) for block in blocks),
    )


def similarity(rgb: np.ndarray, thermal: np.ndarray) -> Similarity:
    """Of two maps, (C, h, w) float each."""
    _, height, width = thermal.shape
    displaced = np.roll(thermal, (height // 2, width // 2), axis=(1, 2))
    return Similarity(
        linear_cka(rgb, thermal), linear_cka(rgb, displaced), mean_cosine(rgb, thermal), mean_cosine(rgb, displaced)
    )


def linear_cka(first: np.ndarray, second: np.ndarray) -> float:
    """Linear centred kernel alignment of two maps, (C1, h, w) and (C2, h, w) float, pixels being the samples; 0 to 1.

    With X, Y the (h * w, C) matrices less the mean of each column: ``|Y'X|^2 / (|X'X| |Y'Y|)``, Frobenius norms
    (Kornblith, Norouzi, Lee, Hinton: "Similarity of Neural Network Representations Revisited", ICML 2019, section 3).
    It does not change when the channels of a map are turned into each other, or all scaled alike. 0 where a map is the
    same at every pixel, as with a single one: nothing varies together.
    """
    x, y = (_centred(features) for features in (first, second))
    if x is None or y is None:
        return 0.0
    together = np.linalg.norm(y @ x.T) ** 2
    return float(together / (np.linalg.norm(x @ x.T) * np.linalg.norm(y @ y.T)))


def mean_cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over pixels of the cosine between the C-vectors of two maps, (C, h, w) float each; -1 to 1.

    Channel by channel: unlike CKA, it asks for equal features in equal channels. A vector of zeros counts as 0.
    """
    x, y = (features.astype(np.float64) for features in (first, second))
    lengths = np.linalg.norm(x, axis=0) * np.linalg.norm(y, axis=0)
    products = (x * y).sum(axis=0)
    return float(np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0).mean())


def _centred(features: np.ndarray) -> np.ndarray | None:
    """(C, pixels) float64, each channel less its mean, of unit size; None if nothing varies."""
    flat = features.reshape(len(features), -1).astype(np.float64)
    flat /= np.abs(flat).max() or 1.0
    centred = flat - flat.mean(axis=1, keepdims=True)
    if (centred**2).sum() <= NOTHING_VARIES * (flat**2).sum():
        return None
    return centred
