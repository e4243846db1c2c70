"""The paper's training objective: cross-entropy plus the fusion loss of intensity, gradient and colour."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024, section 3.4.
# Every mean runs over the whole crop, padding included; the validity mask multiplies the fused image and nothing else.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import UNLABELLED

FUSION_WEIGHT = 0.1
INTENSITY_WEIGHT = 0.5
COLOUR_WEIGHT = 1.0
Both = Callable[[Tensor, Tensor], Tensor]
_GRAY = (0.2989, 0.587, 0.114)  # grey value whose mean the contrast turns around


@dataclass(frozen=True)
class LossPreset:
    """What the fusion loss asks for on one dataset: ``gamma`` of rgb, ``contrast`` of thermal, weight of gradients.

    ``rule``: how both are one target, maximum (the paper's) or proportional (their mean: Model I of the supplement,
    which does not print the shares). ``gradient``: which Sobel response is the larger one, by its sign (the paper's
    maximum: of -1 and 0.5 it is 0.5) or by its magnitude (-1).
    """

    gamma: float
    contrast: float
    gradient_weight: float
    rule: str = "maximum"
    gradient: str = "signed"


FUSION_RULES = ("maximum", "proportional")
GRADIENT_RULES = ("signed", "magnitude")
PRESETS = {
    "MFNet": LossPreset(0.5, 1.7, 0.2),
    "FMB": LossPreset(0.8, 1.0, 1.0),
    "PST900": LossPreset(0.5, 1.8, 0.2),
}


def mrfs_loss(
    logits: Tensor,
    fused: Tensor,
    rgb: Tensor,
    thermal: Tensor,
    label: Tensor,
    valid: Tensor,
    preset: str | LossPreset = "MFNet",
    *,
    fusion_weight: float = FUSION_WEIGHT,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """The whole objective: ``L = L_segmentation + fusion_weight * L_fusion`` (MRFS, section 3.4).

    Args:
        logits: (B, classes, H, W).
        fused: (B, 3, H, W) in [0, 1], RGB.
        rgb: (B, 3, H, W) in [0, 1], RGB.
        thermal: (B, 1 or 3, H, W) in [0, 1].
        label: (B, H, W) class ids, 255 = ignored.
        valid: (B, 1, H, W), 1 inside the image, 0 in padding.
        preset: MFNet, FMB, PST900 or own numbers of the fusion loss.
        fusion_weight: share of the fusion loss.
        class_weights: (classes,), see ``segmentation_loss``.
        label_smoothing: 0 to 1, see ``segmentation_loss``.

    Returns:
        Scalars: total, segmentation, fusion; intensity, gradient, colour before their weighting.

    Raises:
        ImageError: shapes do not belong together.
        ConfigError: the preset is unknown.

    Example:
        >>> images = torch.zeros(1, 3, 8, 8)
        >>> losses = mrfs_loss(
        ...     torch.zeros(1, 2, 8, 8), images, images, images, torch.zeros(1, 8, 8), torch.ones(1, 1, 8, 8)
        ... )
        >>> round(losses["segmentation"].item(), 4), losses["fusion"].item()
        (0.6931, 0.0)
    """
    _check_shapes(logits, fused, rgb, thermal, label, valid)
    preset = preset_named(preset) if isinstance(preset, str) else preset
    segmentation = segmentation_loss(logits, label, class_weights, label_smoothing)
    terms = fusion_loss(fused.float(), rgb.float(), thermal.float(), valid.float(), preset)
    return {"total": segmentation + fusion_weight * terms["fusion"], "segmentation": segmentation, **terms}


def preset_named(name: str) -> LossPreset:
    """The numbers for a dataset; ConfigError if there are none under this name."""
    if name not in PRESETS:
        raise ConfigError(f"unknown loss preset {name!r}: expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def segmentation_loss(
    logits: Tensor, label: Tensor, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy: ``sum_p sum_c w_c q_pc (-log softmax(logits)_pc) / sum_p w_yp`` over pixels p not ignored.

    ``q_pc = (1 - s) [c = y_p] + s / classes`` with label smoothing s (Szegedy et al., CVPR 2016, section 7), as
    ``torch.nn.functional.cross_entropy`` has it. 0 (with gradients) when all pixels are ignored.

    Args:
        logits: (B, classes, H, W).
        label: (B, H, W) class ids y, 255 = ignored.
        class_weights: w, (classes,); None = all 1.
        label_smoothing: s, 0 to 1.

    Returns:
        A scalar.

    Example:
        >>> segmentation_loss(torch.zeros(1, 4, 2, 2), torch.zeros(1, 2, 2)).item() == torch.tensor(4.0).log().item()
        True
    """
    label = label.long()
    total = functional.cross_entropy(
        logits.float(),
        label,
        weight=class_weights,
        ignore_index=UNLABELLED,
        reduction="sum",
        label_smoothing=label_smoothing,
    )
    counted = label != UNLABELLED
    weights = counted if class_weights is None else class_weights[label.where(counted, 0)] * counted
    return total / weights.sum().clamp(min=1e-12)


def fusion_loss(fused: Tensor, rgb: Tensor, thermal: Tensor, valid: Tensor, preset: LossPreset) -> dict[str, Tensor]:
    """Fusion loss: ``0.5 L_intensity + gradient_weight L_gradient + L_colour`` (MRFS, section 3.4, equations of L_f).

    Args:
        fused: (B, 3, H, W) in [0, 1], RGB.
        rgb: the same.
        thermal: (B, 1 or 3, H, W) in [0, 1].
        valid: (B, 1, H, W); multiplies ``fused`` alone.
        preset: gamma, contrast and the weight of the gradients.

    Returns:
        Scalars: fusion, and its terms intensity, gradient, colour before weighting.
    """
    fused = fused * valid
    visible = recover_weak_information(rgb, preset.gamma)
    salient = salient_information(thermal, preset.contrast)
    both = torch.maximum if preset.rule == "maximum" else _mean
    intensity = intensity_loss(fused, visible, salient, both)
    steepest = _larger_magnitude if preset.gradient == "magnitude" else both
    gradient = gradient_loss(fused, visible, salient, steepest)
    colour = colour_loss(fused, visible)
    fusion = INTENSITY_WEIGHT * intensity + preset.gradient_weight * gradient + COLOUR_WEIGHT * colour
    return {"fusion": fusion, "intensity": intensity, "gradient": gradient, "colour": colour}


def recover_weak_information(rgb: Tensor, gamma: float) -> Tensor:
    """Weakened information recovery: ``V = rgb ** gamma`` in [0, 1]; gamma below 1 lifts what the dark hides."""
    return rgb.pow(gamma).clamp(0, 1)


def salient_information(thermal: Tensor, contrast: float) -> Tensor:
    """Salient information: ``S = clamp(contrast T + (1 - contrast) mean grey of T, 0, 1)``, per image.

    (B, 3, H, W), or (B, 1, H, W) for three equal channels; the result has as many.
    """
    mean = (thermal.mean(dim=(2, 3)) * thermal.new_tensor(_GRAY)).sum(dim=1).view(-1, 1, 1, 1)
    return (contrast * thermal + (1 - contrast) * mean).clamp(0, 1)


def intensity_loss(fused: Tensor, visible: Tensor, salient: Tensor, both: Both = torch.maximum) -> Tensor:
    """``mean |F - max(V, S)|``: L1 to the brighter one at every pixel and channel (``both`` in place of max)."""
    return functional.l1_loss(fused, both(visible, salient))


def gradient_loss(fused: Tensor, visible: Tensor, salient: Tensor, both: Both = torch.maximum) -> Tensor:
    """``0.5 mean |dx F - max(dx V, dx S)| + 0.5 mean |dy F - max(dy V, dy S)|``, d: signed Sobel responses."""
    fused_x, fused_y = _sobel(fused)
    visible_x, visible_y = _sobel(visible)
    salient_x, salient_y = _sobel(salient)
    horizontal = functional.l1_loss(fused_x, both(visible_x, salient_x))
    vertical = functional.l1_loss(fused_y, both(visible_y, salient_y))
    return 0.5 * horizontal + 0.5 * vertical


def colour_loss(fused: Tensor, visible: Tensor) -> Tensor:
    """``mean |Cb(F) - Cb(V)| + mean |Cr(F) - Cr(V)|`` (BT.601): colour comes from the visible image alone."""
    fused_cb, fused_cr = _chroma(fused)
    visible_cb, visible_cr = _chroma(visible)
    return functional.l1_loss(fused_cb, visible_cb) + functional.l1_loss(fused_cr, visible_cr)


def _larger_magnitude(visible: Tensor, salient: Tensor) -> Tensor:
    return torch.where(visible.abs() >= salient.abs(), visible, salient)


def _mean(visible: Tensor, salient: Tensor) -> Tensor:
    return (visible + salient) / 2


def _sobel(image: Tensor) -> tuple[Tensor, Tensor]:
    """Responses to [-1 0 1] times [1 2 1]' and [1 2 1] times [1 0 -1]' (top minus bottom), zeros around the image."""
    padded = functional.pad(image, (1, 1, 1, 1))
    left, middle, right = padded[..., :-2], padded[..., 1:-1], padded[..., 2:]
    across, along = right - left, left + 2 * middle + right
    horizontal = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    return horizontal, along[..., :-2, :] - along[..., 2:, :]


def _chroma(image: Tensor) -> tuple[Tensor, Tensor]:
    red, green, blue = image.unbind(dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return 0.564 * (blue - luma) + 0.5, 0.713 * (red - luma) + 0.5


def _check_shapes(logits: Tensor, fused: Tensor, rgb: Tensor, thermal: Tensor, label: Tensor, valid: Tensor) -> None:
    if rgb.ndim != 4 or rgb.shape[1] != 3:
        raise ImageError(f"rgb: expected (B, 3, H, W), got {tuple(rgb.shape)}")
    batch, _, height, width = rgb.shape
    classes = logits.shape[1] if logits.ndim == 4 else "classes"
    expected = {
        "fused": (fused, [(batch, 3, height, width)]),
        "thermal": (thermal, [(batch, 1, height, width), (batch, 3, height, width)]),
        "label": (label, [(batch, height, width)]),
        "valid": (valid, [(batch, 1, height, width)]),
        "logits": (logits, [(batch, classes, height, width)]),
    }
    for name, (tensor, shapes) in expected.items():
        if tuple(tensor.shape) not in shapes:
            texts = " or ".join(f"({', '.join(map(str, shape))})" for shape in shapes)
            raise ImageError(f"{name}: expected {texts}, got {tuple(tensor.shape)}")
