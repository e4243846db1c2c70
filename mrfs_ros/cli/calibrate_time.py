"""``mrfs calibrate --time``: how late the thermal camera's clock is."""

from __future__ import annotations

import argparse
import sys

from mrfs_ros.cli.calibrate_input import bar, open_frames, tell_losses


def run_time(arguments: argparse.Namespace) -> int:
    """Print the parameter thermal_time_offset_s and how well it is known; draw the picture if one was asked for."""
    from mrfs_ros.calibration.clock import fit_clock
    from mrfs_ros.calibration.clock_picture import clock_picture
    from mrfs_ros.calibration.motion import MotionMeter
    from mrfs_ros.camera.gray import to_gray
    from mrfs_ros.camera.image_io import write_png

    meters = MotionMeter(), MotionMeter()
    with open_frames(arguments, arguments.time) as frames, bar("watch") as show:
        for done, (camera, stamp_ns, image) in enumerate(frames.frames(), 1):
            meters[camera].add(stamp_ns, to_gray(image) if image.ndim == 3 else image)
            show(done, max(done, frames.total))
        tell_losses(frames)
    for name, meter in zip(("rgb", "thermal"), meters):
        if meter.left_out:
            why = "stamps that do not rise, or another size"
            print(f"mrfs: {meter.left_out} {name} images left out: {why}", file=sys.stderr)
    origin_ns = min((meter.first_ns for meter in meters if meter.first_ns is not None), default=0)
    fit = fit_clock(*(meter.motion(origin_ns) for meter in meters), longest_s=arguments.longest)
    if arguments.picture is not None:
        write_png(arguments.picture, clock_picture(fit))
        print(f"made {arguments.picture}")
    late = "late" if fit.offset_s < 0 else "early"
    print(
        f"thermal stamps are {1000 * abs(fit.offset_s):.1f} ms {late}, give or take {1000 * fit.spread_s:.1f} ms "
        f"(spread over {fit.segments} parts of the bag)\n"
        f"correlation {fit.correlation:.2f} ({fit.signal}), {min(fit.peak_ratio, 99):.1f} times that of the next peak\n"
        f"thermal_time_offset_s: {fit.offset_s:.4f}"
    )
    return 0
