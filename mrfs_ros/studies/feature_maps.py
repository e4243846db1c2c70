"""The features of one pair before, in and after the interactions of the four blocks (MRFS, supplement, section 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.load import Model
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.types import FusionResult


@dataclass(frozen=True)
class BlockFeatures:
    """One block's maps, each (C, h, w) float32: the encoders' own, then IGM-Att's, then PC-Att's."""

    rgb_before: np.ndarray
    thermal_before: np.ndarray
    rgb_after: np.ndarray
    thermal_after: np.ndarray
    semantic: np.ndarray


class FeatureReader:
    """Runs the paper's graph on a pair and keeps what goes into and comes out of IGM-Att and PC-Att."""

    def __init__(self, model: Model, device: str):
        """``device``: cpu, cuda or cuda:N. ``model.network`` moves there and stays in evaluation mode."""
        self._engine = EagerEngine(model.network, model.info("eager", device))
        self._backbone = model.network.backbone

    @property
    def info(self) -> EngineInfo:
        """What runs."""
        return self._engine.info

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray) -> tuple[list[BlockFeatures], FusionResult]:
        """The features of blocks 1 to 4, and what the network makes of them.

        ``rgb``: (H, W, 3) uint8, RGB. ``thermal``: (H, W) uint8 on its grid. H, W from 32 up; ImageError for anything
        else, and when memory does not suffice.
        """
        visual: list[list[np.ndarray]] = []
        semantic: list[np.ndarray] = []

        def keep_visual(_: nn.Module, before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor]) -> None:
            visual.append([_map(features) for features in (*before, *after)])

        def keep_semantic(_: nn.Module, __: tuple[Tensor, Tensor], after: Tensor) -> None:
            semantic.append(_map(after))

        hooks = [module.register_forward_hook(keep_visual) for module in self._backbone.IGMAVCs]
        hooks += [module.register_forward_hook(keep_semantic) for module in self._backbone.PCASCs]
        try:
            result = self._engine(rgb, thermal)
        finally:
            for hook in hooks:
                hook.remove()
        return [BlockFeatures(*maps, last) for maps, last in zip(visual, semantic)], result


def _map(features: Tensor) -> np.ndarray:
    return features[0].float().cpu().numpy()
