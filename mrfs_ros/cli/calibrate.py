"""``mrfs calibrate``: how the thermal image lies on the rgb image, or how late its clock is, from recorded frames."""

from __future__ import annotations

import argparse
from pathlib import Path

from mrfs_ros.cli.calibrate_input import bar, read_pairs
from mrfs_ros.cli.calibrate_time import run_time
from mrfs_ros.cli.options import add_options, count, new_parser
from mrfs_ros.errors import ConfigError

EXAMPLES = """examples:
  mrfs calibrate --rgb day/rgb --thermal day/thermal --out calib.yaml          # from what both cameras see anyway
  mrfs calibrate --bag drive --every 30 --out calib.yaml
  mrfs calibrate --bag board --pattern chessboard 9x6 --out calib.yaml         # a heated board, 9x6 inner corners
  mrfs calibrate --time drive                                                  # thermal_time_offset_s

Look at the picture before you trust the file. Nothing is written, and the exit code is 2, when the fit is poor.
"""
_PAIRS = 12
_PAIRS_HELP = f"so many pairs at most, spread over the folders, or the first ones of the bag (default: {_PAIRS})"


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "calibrate",
        summary="align the cameras in space, or their clocks",
        description="Find the homography from the thermal to the rgb image, or the offset of the cameras' clocks.",
        examples=EXAMPLES,
    )
    _add_source(command)
    how = command.add_argument_group("how")
    how.add_argument(
        "--pattern",
        nargs="+",
        default=["none"],
        metavar=("none|chessboard|circles", "COLUMNSxROWS"),
        help="none (default): edges of the scene; chessboard 9x6 (inner corners) or circles 4x11: a heated board",
    )
    how.add_argument(
        "--initial",
        default="",
        metavar="YAML|SCALE,DX,DY[,DEG]",
        help="of edges: about where thermal lies: an earlier calibration, or its size (1 = as wide as rgb), the place "
        "of its middle from that of rgb [rgb pixels], and its turn clockwise",
    )
    how.add_argument("--longest", type=float, default=1.0, metavar="S", help="of --time: largest offset (default: 1)")
    made = command.add_argument_group("what is made")
    made.add_argument("--out", type=Path, metavar="YAML", help="calibration file to make (not with --time)")
    made.add_argument("--picture", type=Path, metavar="PNG", help="picture to look at (default: beside --out, or none)")
    made.add_argument("--force", action="store_true", help="replace files that are there")
    return command


def _add_source(command: argparse.ArgumentParser) -> None:
    source = command.add_argument_group("what it is made from (folders or one bag)")
    add_options(source, "--rgb", "--thermal", "--rgb-name", "--thermal-name")
    add_options(source, "--max-image-pixels", "--slop", default=None)  # as in the params file
    source.add_argument("--bag", type=Path, help="a bag with both cameras")
    source.add_argument("--time", type=Path, metavar="BAG", help="find the offset of the clocks in this bag")
    source.add_argument("--max-pairs", type=count, default=_PAIRS, metavar="N", help=_PAIRS_HELP)
    add_options(source, "--every", "--start", "--end", "--rgb-topic", "--thermal-topic", "--params-file")


def run(arguments: argparse.Namespace) -> int:
    """Calibrate, print how well it went, write the files; errors are told before anything is read."""
    _check(arguments)
    if arguments.time is not None:
        return run_time(arguments)
    pairs, source = read_pairs(arguments)

    from mrfs_ros.calibration.initial_guess import centred
    from mrfs_ros.calibration.picture import before_after
    from mrfs_ros.camera.image_io import write_png
    from mrfs_ros.geometry.calibration_file import write_calibration

    rgb, thermal = pairs[0]
    start = _start(arguments.initial, thermal.shape, rgb.shape[:2])
    fit, lines = (_from_edges if arguments.pattern == ["none"] else _from_board)(arguments, pairs, start)
    for line in lines:
        print(line)
    before = centred(thermal.shape, rgb.shape[:2]) if start is None else start
    write_png(_picture(arguments), before_after(pairs, before, fit.homography))
    write_calibration(arguments.out, fit.homography, "\n".join((f"Made by mrfs calibrate from {source}.", *lines)))
    print(f"made {arguments.out}\nmade {_picture(arguments)}: look at it before you trust the file")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """ConfigError for options that do not go together, and for files that are there already."""
    folders = arguments.rgb is not None or arguments.thermal is not None
    if (folders, arguments.bag is not None, arguments.time is not None).count(True) != 1:
        raise ConfigError("expected one of --rgb DIR with --thermal DIR, --bag BAG, --time BAG")
    if folders and (arguments.rgb is None or arguments.thermal is None):
        raise ConfigError("expected --rgb DIR and --thermal DIR together")
    if arguments.time is None and arguments.out is None:
        raise ConfigError("--out: expected the calibration file to make, such as --out calib.yaml")
    if arguments.time is not None and arguments.out is not None:
        raise ConfigError("--out: --time makes no calibration file, it prints a parameter (--picture makes a picture)")
    if not 0 < arguments.longest <= 10:
        raise ConfigError(f"--longest: expected more than 0, at most 10 s, got {arguments.longest:g}")
    if arguments.pattern != ["none"]:
        from mrfs_ros.calibration.from_boards import Board

        Board.named(arguments.pattern)
        if arguments.initial:
            raise ConfigError("--initial: a board needs none; it belongs to --pattern none")
    if arguments.out is not None and arguments.out == _picture(arguments):
        raise ConfigError(f"{arguments.out}: --out and --picture need two files, such as calib.yaml and calib.png")
    for path in (arguments.out, _picture(arguments)):
        if path is not None and path.exists() and not arguments.force:
            raise ConfigError(f"{path} exists already: --force replaces it")
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{path}: no such folder: {path.parent}")


def _picture(arguments: argparse.Namespace) -> Path | None:
    beside = None if arguments.out is None else arguments.out.with_suffix(".png")
    return arguments.picture or beside


def _start(text: str, thermal_size: tuple[int, int], rgb_size: tuple[int, int]):
    """The homography that --initial names, None if it names none."""
    if not text:
        return None

    from mrfs_ros.calibration.initial_guess import placed
    from mrfs_ros.geometry.calibration_file import read_calibration
    from mrfs_ros.geometry.camera_models import Homography

    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        start = read_calibration(Path(text))
        if not isinstance(start, Homography):
            raise ConfigError(f"--initial {text}: expected a homography, got a stereo calibration") from None
        return start.scaled_to(thermal_size, rgb_size)
    return placed(numbers, thermal_size, rgb_size)


def _from_edges(arguments: argparse.Namespace, pairs: list, start):
    from mrfs_ros.calibration.from_edges import fit_edges

    with bar("align") as show:
        fit = fit_edges(pairs, start, show)
    width = pairs[0][0].shape[1]
    judged = f"{fit.held_out} held out" if fit.held_out else "the pair it was fitted to: take several"
    lines = [
        f"{fit.freedom} from the edges of {fit.fitted} pair{'s' * (fit.fitted > 1)}, judged on {judged}",
        f"edge correlation {fit.score_before:.3f} before, {fit.score_after:.3f} after, "
        f"{fit.peak_ratio:.1f} times that of the next best place",
        f"residual {fit.residual.median_px(width):.1f} rgb pixels (median of {len(fit.residual.shifts)} image parts)",
    ]
    return fit, lines


def _from_board(arguments: argparse.Namespace, pairs: list, _start):
    from mrfs_ros.calibration.from_boards import Board, fit_boards

    with bar("find boards") as show:
        fit = fit_boards(pairs, Board.named(arguments.pattern), show)
    lines = [
        f"homography from {' '.join(arguments.pattern)} in {fit.boards} of {fit.pairs} pairs",
        f"reprojection error {fit.error_px:.2f} rgb pixels (mean), {fit.worst_px:.2f} (largest), "
        f"{100 * fit.inliers:.0f} % of the points fit",
        f"the boards cover {100 * fit.coverage:.0f} % of the rgb image"
        + (": outside, the warp is a guess; show the board in the corners too" if fit.coverage < 0.3 else ""),
    ]
    return fit, lines
