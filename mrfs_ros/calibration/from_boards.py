"""A homography from a heated board that both cameras see: corners of a chessboard, or circles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.calibration.checks import check_pairs
from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import Homography

KINDS = ("chessboard", "circles")
_CHESSBOARD_FLAGS = cv2.CALIB_CB_NORMALIZE_IMAGE | cv2.CALIB_CB_EXHAUSTIVE | cv2.CALIB_CB_ACCURACY
_OUTLIER, _LARGEST_ERROR = 0.006, 0.001  # of the rgb image's width
_LARGEST_ERROR_THERMAL = 0.6  # pixels of the thermal image, where that is more
_LEAST_INLIERS = 0.8
_LEAST_CONTRAST = 12  # of 255
_ENLARGED_BELOW = 800  # pixels of width
_ADVICE = (
    "hold the board flat, whole in both images, at the distance that matters, and give it contrast in the thermal "
    "image (sun, a lamp, or cooled metal fields)"
)


@dataclass(frozen=True)
class Board:
    """``kind``: chessboard (``columns`` x ``rows`` inner corners) or circles (asymmetric grid, as OpenCV counts it)."""

    kind: str
    columns: int
    rows: int

    @classmethod
    def named(cls, words: Sequence[str]) -> Board:
        """Of words such as chessboard 9x6; ConfigError for others."""
        match = re.fullmatch(r"(\d+)x(\d+)", words[1]) if len(words) == 2 and words[0] in KINDS else None
        if match is None or min(sides := (int(match[1]), int(match[2]))) < 3:
            raise ConfigError(
                f"--pattern: expected none, chessboard COLUMNSxROWS (inner corners, such as chessboard 9x6) or circles "
                f"COLUMNSxROWS (such as circles 4x11), each 3 or more, got {' '.join(words)!r}"
            )
        return cls(words[0], *sides)


@dataclass(frozen=True)
class BoardFit:
    """``error_px``, ``worst_px``: mean and largest reprojection error of the inliers [rgb pixels].

    ``boards``: pairs in which both cameras saw the board, of ``pairs``. ``inliers``: share of the points, 0 to 1.
    ``coverage``: share of the rgb image that lies between the points, 0 to 1.
    """

    homography: Homography
    error_px: float
    worst_px: float
    boards: int
    pairs: int
    inliers: float
    coverage: float


def fit_boards(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]],
    board: Board,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> BoardFit:
    """The homography of ``board`` in ``pairs`` of rgb (H, W, 3) uint8 RGB and thermal (h, w) uint8, by RANSAC.

    ``on_progress`` gets how many pairs are done, and of how many. The cameras may be rolled against each other by less
    than 90 degrees. ConfigError, with what to do, when no board is found or the points do not agree.
    """
    rgb_size, thermal_size = check_pairs(pairs)
    rgb_points, thermal_points, seen = [], [], [0, 0]
    for done, (rgb, thermal) in enumerate(pairs, 1):
        in_rgb = find_board(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), board)
        in_thermal = find_board(thermal, board)
        seen = [seen[0] + (in_rgb is not None), seen[1] + (in_thermal is not None)]
        if in_rgb is not None and in_thermal is not None:
            rgb_points.append(in_rgb)
            thermal_points.append(_same_order(in_thermal, in_rgb, board))
        on_progress(done, len(pairs))
    name = f"{board.kind} {board.columns}x{board.rows}"
    if not rgb_points:
        raise ConfigError(
            f"no pair in which both cameras see the {name}: found in {seen[0]} rgb and {seen[1]} thermal images of "
            f"{len(pairs)}: {_ADVICE}"
        )
    matrix, inliers, errors = _fitted(np.concatenate(thermal_points), np.concatenate(rgb_points), rgb_size[1])
    thermal_pixel = _scale(matrix, np.concatenate(thermal_points).mean(axis=0))
    allowed = max(_LARGEST_ERROR * rgb_size[1], _LARGEST_ERROR_THERMAL * thermal_pixel)
    if inliers.mean() < _LEAST_INLIERS or errors.mean() > allowed:
        raise ConfigError(
            f"the {name} gives no common homography: {100 * inliers.mean():.0f} % of the points fit (expected "
            f"{100 * _LEAST_INLIERS:.0f} %), {errors.mean():.1f} pixels off (at most {allowed:.1f}): one homography is "
            "right at one distance and for lenses that bend no lines; hold all boards at about one distance, give "
            f"other lenses as camera models (kind: stereo), and {_ADVICE}"
        )
    hull = cv2.convexHull(np.concatenate(rgb_points).astype(np.float32))
    return BoardFit(
        homography=Homography(matrix, thermal_size, rgb_size),
        error_px=float(errors.mean()),
        worst_px=float(errors.max()),
        boards=len(rgb_points),
        pairs=len(pairs),
        inliers=float(inliers.mean()),
        coverage=cv2.contourArea(hull) / (rgb_size[0] * rgb_size[1]),
    )


def _scale(matrix: np.ndarray, point: np.ndarray) -> float:
    """Rgb pixels of a thermal pixel at ``point`` (x, y)."""
    square = point + np.array([(0, 0), (1, 0), (0, 1)])
    origin, right, down = cv2.perspectiveTransform(square[:, None], matrix)[:, 0]
    return float(np.sqrt(abs(np.linalg.det([right - origin, down - origin]))))


def find_board(grey: np.ndarray, board: Board) -> np.ndarray | None:
    """The board's points (rows * columns, 2) float64 (x, y) in ``grey`` (H, W) uint8, also with inverted contrast."""
    if np.ptp(grey) < _LEAST_CONTRAST:
        return None
    for image, scale in _tries(grey):
        if board.kind == "chessboard":
            found, points = cv2.findChessboardCornersSB(image, (board.columns, board.rows), flags=_CHESSBOARD_FLAGS)
        else:
            found, points = cv2.findCirclesGrid(
                image, (board.columns, board.rows), flags=cv2.CALIB_CB_ASYMMETRIC_GRID | cv2.CALIB_CB_CLUSTERING
            )
        if found:
            return (points[:, 0].astype(np.float64) + 0.5) / scale - 0.5
    return None


def _tries(grey: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """The image as it is, inverted, and both enlarged where it is small; with the scale of each."""
    stretched = cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX)
    for scale in (1, 2) if grey.shape[1] < _ENLARGED_BELOW else (1,):
        image = (
            stretched if scale == 1 else cv2.resize(stretched, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        )
        yield image, scale
        yield 255 - image, scale


def _same_order(points: np.ndarray, reference: np.ndarray, board: Board) -> np.ndarray:
    """``points`` counted from the same corner as ``reference``: inverted contrast turns the count around."""
    grid = points.reshape(board.rows, board.columns, 2)
    turns = range(4) if board.rows == board.columns else (0, 2)
    orders = [np.rot90(grid, turn).reshape(-1, 2) for turn in turns]
    return min(orders, key=lambda order: np.linalg.norm(_centred(order) - _centred(reference)))


def _centred(points: np.ndarray) -> np.ndarray:
    centred = points - points.mean(axis=0)
    return centred / np.linalg.norm(centred)


def _fitted(thermal: np.ndarray, rgb: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The matrix, which points fit it, and how far those are off [pixels]."""
    matrix, mask = cv2.findHomography(thermal, rgb, cv2.RANSAC, _OUTLIER * width, maxIters=5000, confidence=0.9999)
    if matrix is None:
        raise ConfigError(f"the board's points allow no homography: {_ADVICE}")
    inliers = mask[:, 0] > 0
    mapped = cv2.perspectiveTransform(thermal[:, None], matrix)[:, 0]
    return matrix, inliers, np.hypot(*(mapped - rgb)[inliers].T)
