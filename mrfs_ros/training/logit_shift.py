"""One number a class, added to its logit: chosen on val, folded into the last bias of the segmentation head.

Class weights and crops laid around objects teach a network that objects are more frequent than they are; it then paints
too much. Where the mean IoU is best is found on the val frames (after Menon et al., "Long-tail learning via logit
adjustment", ICLR 2021, who derive the shift from class frequencies instead).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from mrfs_ros.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.engine.encoder_side import EncoderSide, of_file
from mrfs_ros.engine.operators.plain import from_bytes
from mrfs_ros.network import MRFS
from mrfs_ros.types import UNLABELLED

KEY = "logit shifts"
GRID = tuple(np.arange(-5, 5.01, 0.25).tolist())
PASSES = 3  # over all classes; the choice of one depends on the others
STRIDE = 4  # of the pixels looked at, both ways


def shift_file(
    path: Path, datasets: Sequence[PairDataset], validate: Callable[[MRFS], dict[str, float]], device: torch.device
) -> dict[str, float]:
    """Choose shifts on ``datasets`` for a weights file, write it anew with them; return class name -> shift.

    The encoders see whole frames at the file's encoder side. ``validate``: network -> scores for the file's provenance.
    A file that has shifts already stays as it is.
    """
    checkpoint = read_checkpoint(path)
    if KEY in checkpoint.provenance:
        return checkpoint.provenance[KEY]
    network = checkpoint.network().to(device)
    shifts = choose_shifts(*_pixels(network, datasets, device, of_file(checkpoint.encoder_side)))
    with torch.no_grad():
        network.decode_head.linear_pred.bias += torch.tensor(shifts, dtype=torch.float32, device=device)
    named = {name: shift for name, shift in zip(checkpoint.classes.names, shifts) if shift}
    provenance = {**checkpoint.provenance, "scores": validate(network), KEY: named}
    save_checkpoint(path, network.cpu(), checkpoint.classes, provenance, torch.float16, checkpoint.encoder_side)
    return named


def undo_shifts(network: MRFS, checkpoint: Checkpoint) -> None:
    """Take back the shifts of the file that ``network`` was read from: learning goes on with what was learnt."""
    shifts = checkpoint.provenance.get(KEY, {})
    with torch.no_grad():
        for number, name in enumerate(checkpoint.classes.names):
            network.decode_head.linear_pred.bias[number] -= shifts.get(name, 0.0)


def choose_shifts(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> list[float]:
    """Find the shifts with the best mean IoU.

    Args:
        logits: (N, classes) float, of N pixels.
        labels: (N,) class ids.
        weights: (N,) float, how much each pixel counts; None = all alike.

    Returns:
        (classes,) shifts from ``GRID``, 0 for the background and classes without a pixel; ties go to the smaller one.
    """
    shifts = np.zeros(logits.shape[1])
    present = np.unique(labels)
    candidates = sorted(GRID, key=abs)
    for _ in range(PASSES):
        for number in present[present > 0]:
            scores = []
            for candidate in candidates:
                shifts[number] = candidate
                scores.append(_mean_iou((logits + shifts).argmax(axis=1), labels, weights, present))
            shifts[number] = candidates[int(np.argmax(scores))]
    return shifts.tolist()


def _mean_iou(predicted: np.ndarray, labels: np.ndarray, weights: np.ndarray | None, present: np.ndarray) -> float:
    size = int(max(predicted.max(), labels.max())) + 1
    confusion = np.bincount(labels * size + predicted, weights, minlength=size * size).reshape(size, size)
    hits = np.diagonal(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hits
    return float(np.mean(np.divide(hits, union, out=np.zeros(size), where=union > 0)[present]))


def _pixels(
    network: MRFS, datasets: Sequence[PairDataset], device: torch.device, side: EncoderSide
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (N, classes), labels (N,) and weights (N,) of every ``STRIDE``-th labelled pixel.

    The weights of each dataset add up to 1, so that all datasets count alike.
    """
    logits, labels, weights = [], [], []
    for dataset in datasets:
        first = len(labels)
        for pair in dataset:
            rgb = torch.from_numpy(pair.rgb).to(device).permute(2, 0, 1)[None]
            thermal = torch.from_numpy(pair.thermal).to(device)[None, None]
            with torch.inference_mode():
                output = network(from_bytes(rgb), from_bytes(thermal), side.size(pair.label.shape)).logits[0]
                output = output[:, ::STRIDE, ::STRIDE]
            label = pair.label[::STRIDE, ::STRIDE]
            counted = label != UNLABELLED
            logits.append(output.permute(1, 2, 0).cpu().numpy()[counted])
            labels.append(label[counted].astype(np.int64))
        count = sum(map(len, labels[first:]))
        weights.append(np.full(count, 1 / max(count, 1)))
    return np.concatenate(logits), np.concatenate(labels), np.concatenate(weights)
