"""Fusion metrics: what a fused grey image shows of a visible and a thermal one, as the field's evaluators count it."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.errors import ImageError

CONVENTIONS = {
    "EN": "entropy of F, bits, 256 bins",
    "SD": "standard deviation of F, population, scale 0-255",
    "SF": "spatial frequency of F: root of mean squared horizontal plus vertical first differences",
    "AG": "average gradient of F: mean of sqrt((gx^2 + gy^2) / 2), central differences, one-sided at the border",
    "MI": "mutual information I(F, V) + I(F, T) of 8-bit values, nats (x 1.4427 for bits)",
    "SCD": "sum of correlations of differences: r(F - T, V) + r(F - V, T), 0 for a constant",
    "CC": "mean of Pearson's r(F, V) and r(F, T), 0 for a constant",
    "VIF": "visual information fidelity, pixel domain, 4 scales, sum of both sources, 1 for a constant source",
    "Qabf": "edge preservation (Xydeas, Petrovic 2000), Sobel with black border, weighted by gradient",
    "Nabf": "fusion artefacts as modified by Shreyamsha Kumar (2013), lower is better",
    "MSE": "mean of both mean squared errors, scale 0-255, lower is better",
    "PSNR": "dB, peak 255, of MSE; inf where MSE is 0",
    "SSIM": "structural similarity, uniform 7x7 window, sum of both sources (not their mean)",
    "MI_nats": "another name of MI",
    "SSIM_sum": "another name of SSIM",
}
"""What each number means: papers disagree on scales, borders and averages, so print this beside it."""
NO_REFERENCE = ("EN", "SD", "SF", "AG")
"""Those of the fused image alone."""
SMALLEST_SIDE = 41  # below it nothing is left of an image at the fourth scale of VIF
_VIF_WINDOWS = (17, 9, 5, 3)
_VIF_NOISE = 2.0
_VIF_NO_VARIANCE = 1e-10


def fusion_metrics(fused_gray: np.ndarray, visible_gray: np.ndarray, thermal_gray: np.ndarray) -> dict[str, float]:
    """All metrics of one fusion.

    Args:
        fused_gray: F, (H, W) uint8 grey, at least 41 pixels each way.
        visible_gray: V, of the same size.
        thermal_gray: T, of the same size.

    Returns:
        The names of ``CONVENTIONS``, in its order, to values. None is ever NaN; PSNR is inf where nothing differs.

    Raises:
        ImageError: an image has another type or size.

    Example:
        >>> grey = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)
        >>> values = fusion_metrics(grey, grey, grey)
        >>> values["EN"], values["CC"], values["PSNR"], round(values["SSIM"], 6)
        (8.0, 1.0, inf, 2.0)
    """
    _check(fused=fused_gray, visible=visible_gray, thermal=thermal_gray)
    images = (fused_gray, visible_gray, thermal_gray)
    values = no_reference_metrics(fused_gray) | {
        "MI": mutual_information(*images),
        "SCD": sum_of_correlations_of_differences(*images),
        "CC": correlation_coefficient(*images),
        "VIF": visual_information_fidelity(*images),
        "Qabf": edge_preservation(*images),
        "Nabf": fusion_artefacts(*images),
        "MSE": mean_squared_error(*images),
        "PSNR": peak_signal_to_noise(*images),
        "SSIM": structural_similarity(*images),
    }
    return values | {"MI_nats": values["MI"], "SSIM_sum": values["SSIM"]}


def no_reference_metrics(fused_gray: np.ndarray) -> dict[str, float]:
    """EN, SD, SF, AG of a fused image, (H, W) uint8 grey, without its sources: quick.

    Example:
        >>> no_reference_metrics(np.full((48, 48), 7, np.uint8))
        {'EN': 0.0, 'SD': 0.0, 'SF': 0.0, 'AG': 0.0}
    """
    return {
        "EN": entropy(fused_gray),
        "SD": float(fused_gray.std(dtype=np.float64)),
        "SF": spatial_frequency(fused_gray),
        "AG": average_gradient(fused_gray),
    }


def _check(**images: np.ndarray) -> None:
    for name, image in images.items():
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ImageError(f"{name}: expected a grey image, (H, W) uint8, got {image.shape} {image.dtype}")
    shapes = {name: image.shape for name, image in images.items()}
    if len(set(shapes.values())) > 1:
        raise ImageError(f"expected images of one size (H, W), got {shapes}; resize or register them before scoring")
    if min(shapes["fused"]) < SMALLEST_SIDE:
        raise ImageError(f"expected at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels for VIF, got {shapes['fused']}")


def _entropy_nats(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum()) + 0.0  # -0.0 reads badly in a table


def entropy(image: np.ndarray) -> float:
    """EN: ``-sum_k p_k log2 p_k`` [bits] over the 256 grey values (Roberts, van Aardt, Ahmed 2008)."""
    return _entropy_nats(np.bincount(image.ravel(), minlength=256)) / float(np.log(2))


def spatial_frequency(image: np.ndarray) -> float:
    """SF: ``sqrt(mean (F[y, x] - F[y, x-1])^2 + mean (F[y, x] - F[y-1, x])^2)`` (Eskicioglu, Fisher 1995)."""
    values = image.astype(np.float64)
    return float(np.sqrt(np.square(np.diff(values, axis=1)).mean() + np.square(np.diff(values, axis=0)).mean()))


def average_gradient(image: np.ndarray) -> float:
    """AG: ``mean sqrt((gx^2 + gy^2) / 2)``, central differences, one-sided at the border (Cui et al. 2015)."""
    gy, gx = np.gradient(image.astype(np.float64))
    return float(np.sqrt((gx**2 + gy**2) / 2).mean())


def mutual_information(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """MI: ``I(F, V) + I(F, T)`` [nats], ``I(A, B) = H(A) + H(B) - H(A, B)`` (Qu, Zhang, Yan 2002)."""
    return _shared_nats(fused, visible) + _shared_nats(fused, thermal)


def _shared_nats(one: np.ndarray, other: np.ndarray) -> float:
    joint = np.bincount(one.ravel().astype(np.int64) * 256 + other.ravel(), minlength=65536).reshape(256, 256)
    return _entropy_nats(joint.sum(axis=1)) + _entropy_nats(joint.sum(axis=0)) - _entropy_nats(joint.ravel())


def correlation_coefficient(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """CC: ``(r(F, V) + r(F, T)) / 2``, r: Pearson's correlation."""
    f, v, t = (image.astype(np.float64) for image in (fused, visible, thermal))
    return (_pearson(f, v) + _pearson(f, t)) / 2


def sum_of_correlations_of_differences(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """SCD: ``r(F - T, V) + r(F - V, T)``: the part added to one source, against the other (Aslantas, Bendes 2015)."""
    f, v, t = (image.astype(np.float64) for image in (fused, visible, thermal))
    return _pearson(f - t, v) + _pearson(f - v, t)


def _pearson(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's r; 0, no linear relation, where either is constant."""
    a, b = (one - one.mean()).ravel(), (other - other.mean()).ravel()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0


def mean_squared_error(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """MSE: ``(mean (F - V)^2 + mean (F - T)^2) / 2`` on 0-255."""
    f = fused.astype(np.float64)
    return float((np.square(f - visible).mean() + np.square(f - thermal).mean()) / 2)


def peak_signal_to_noise(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """PSNR: ``10 log10(255^2 / MSE)`` [dB]; infinite where nothing differs."""
    error = mean_squared_error(fused, visible, thermal)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def structural_similarity(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """SSIM: ``SSIM(F, V) + SSIM(F, T)`` (Wang, Bovik, Sheikh, Simoncelli 2004); 2 where all three are equal.

    ``SSIM(a, b) = mean ((2 m_a m_b + c1)(2 cov_ab + c2)) / ((m_a^2 + m_b^2 + c1)(var_a + var_b + c2))``.
    """
    return _ssim(fused, visible) + _ssim(fused, thermal)


def _ssim(one: np.ndarray, other: np.ndarray, side: int = 7) -> float:
    """Wang et al. 2004 with a uniform window, sample covariance, whole windows only; data range 255."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    inner = slice(side // 2, -(side // 2))

    def local_mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, cv2.CV_64F, (side, side))[inner, inner]

    mean_a, mean_b = local_mean(a), local_mean(b)
    sample = side**2 / (side**2 - 1)
    variances = sample * (local_mean(a * a) + local_mean(b * b) - mean_a**2 - mean_b**2)
    covariance = sample * (local_mean(a * b) - mean_a * mean_b)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))).mean())


def visual_information_fidelity(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """VIF: pixel-domain fidelity (Sheikh, Bovik 2006) to each source, added; 2 where all three are equal.

    Of each source: ``sum log(1 + g^2 var_s / (var_v + n)) / sum log(1 + var_s / n)`` over places and 4 scales, with
    gain g = cov / var_s, distortion var_v = var_f - g cov, noise n = 2.
    """
    return _vifp(visible, fused) + _vifp(thermal, fused)


def _vifp(source: np.ndarray, fused: np.ndarray) -> float:
    """Information about the source that the fused image still holds, as a share; 1 where the source holds none."""
    s, f = source.astype(np.float64), fused.astype(np.float64)
    kept = held = 0.0
    for scale, side in enumerate(_VIF_WINDOWS):
        if scale:
            s, f = _blur(s, side)[::2, ::2], _blur(f, side)[::2, ::2]
        mean_s, mean_f = _blur(s, side), _blur(f, side)
        var_s, var_f = _blur(s * s, side) - mean_s**2, _blur(f * f, side) - mean_f**2
        covariance = _blur(s * f, side) - mean_s * mean_f
        var_s[var_s < _VIF_NO_VARIANCE] = 0
        related = (var_s > 0) & (var_f >= _VIF_NO_VARIANCE) & (covariance > 0)
        gain = np.where(related, covariance / (var_s + _VIF_NO_VARIANCE), 0)
        distortion = np.maximum(var_f - gain * covariance, _VIF_NO_VARIANCE)
        kept += np.log10(1 + gain**2 * var_s / (distortion + _VIF_NOISE)).sum()
        held += np.log10(1 + var_s / _VIF_NOISE).sum()
    return float(kept / held) if held else 1.0


def _blur(values: np.ndarray, side: int) -> np.ndarray:
    """Gaussian window of ``side`` taps, sigma ``side`` / 5, where it lies wholly inside."""
    inner = slice(side // 2, -(side // 2))
    window = np.exp(-np.square(np.arange(side) - side // 2) / (2 * (side / 5) ** 2))
    window /= window.sum()
    return cv2.sepFilter2D(values, cv2.CV_64F, window, window)[inner, inner]


def _sobel(image: np.ndarray, border: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(gx, gy, strength), each (H, W) float64."""
    values = image.astype(np.float64)
    gx = cv2.Sobel(values, cv2.CV_64F, 1, 0, borderType=border)
    gy = cv2.Sobel(values, cv2.CV_64F, 0, 1, borderType=border)
    return gx, gy, np.sqrt(gx**2 + gy**2)


def _ratio(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The smaller over the larger of two non-negative arrays; 0 where both are 0."""
    larger = np.maximum(one, other)
    return np.divide(np.minimum(one, other), larger, out=np.zeros_like(larger), where=larger > 0)


def _sigmoid(values: np.ndarray, *, top: float, slope: float, middle: float) -> np.ndarray:
    return top / (1 + np.exp(-slope * (values - middle)))


def edge_preservation(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """Qabf: ``sum_s sum_p Q_strength Q_angle g_s / sum_s sum_p g_s``, edges kept of sources s with gradients g_s.

    Source: Xydeas, Petrovic 2000; both Q are sigmoids of how alike strengths and directions are.

    As the field's evaluators have it: where strengths are equal, the strength itself stands for their ratio 1, and an
    edge without horizontal gradient has direction +pi/2. F = V = T gives 0.9753. 0 where no source has an edge.
    """
    (f, f_angle), *sources = (_edges(image) for image in (fused, visible, thermal))
    kept = total = 0.0
    for strength, angle in sources:
        same_strength = np.where(strength == f, f, _ratio(strength, f))
        same_angle = 1 - np.abs(angle - f_angle) / (np.pi / 2)
        kept_strength = _sigmoid(same_strength, top=0.9994, slope=15, middle=0.5)
        kept_angle = _sigmoid(same_angle, top=0.9879, slope=22, middle=0.8)
        kept += float((kept_strength * kept_angle * strength).sum())
        total += float(strength.sum())
    return kept / total if total else 0.0


def _edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gx, gy, strength = _sobel(image, cv2.BORDER_CONSTANT)
    slope = np.divide(-gy, gx, out=np.full_like(gx, np.inf), where=gx != 0)
    return strength, np.arctan(slope)


def fusion_artefacts(fused: np.ndarray, visible: np.ndarray, thermal: np.ndarray) -> float:
    """Nabf: edges in the fused image stronger than in both sources, weighted by what they fail to keep.

    Petrovic's measure as Shreyamsha Kumar modified it (2013), with his constants, his mirrored border, Sobel / 8, and
    weights strength^1.5, or 0.001 below strength 2 (some Python evaluators put 0 there, and 0 / 0 on flat images).
    """
    (f, f_angle), *sources = (_mirrored_edges(image) for image in (fused, visible, thermal))
    added = (f > sources[0][0]) & (f > sources[1][0])
    lost = total = 0.0
    for strength, angle in sources:
        same_angle = np.abs(np.abs(angle - f_angle) - np.pi / 2) * 2 / np.pi
        kept_strength = _sigmoid(_ratio(strength, f), top=0.9999, slope=19, middle=0.5)
        kept_angle = _sigmoid(same_angle, top=0.9995, slope=22, middle=0.5)
        weight = np.where(strength >= 2, strength**1.5, 0.001)
        lost += float((added * (1 - np.sqrt(kept_strength * kept_angle)) * weight).sum())
        total += float(weight.sum())
    return lost / total


def _mirrored_edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gx, gy, strength = _sobel(image, cv2.BORDER_REFLECT_101)
    return strength / 8, np.arctan2(np.where(gy < 0, -gx, gx), np.abs(gy))
