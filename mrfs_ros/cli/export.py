"""``mrfs export``: a weights file as ONNX, for ONNX Runtime, OpenVINO, TensorRT."""

from __future__ import annotations

import argparse
from pathlib import Path

from mrfs_ros.cli.options import add_options, new_parser, pixels
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs export --onnx out/mrfs_480x640.onnx
  mrfs export --weights models/mfnet.pth --size 512x640 --onnx out/mfnet_512x640.onnx
  mrfs export --size 480x640 --encoder-side 240 --confidence --onnx out/mrfs_480x640_240.onnx
  mrfs fuse --weights out/mrfs_480x640.onnx --backend openvino --rgb street.jpg --thermal street_ir.jpg --out out

The file takes rgb (B, H, W, 3) and thermal (B, H, W), uint8, of that one size, and gives fused (B, H, W, 3), RGB, and
labels (B, H, W), uint8; with --confidence their probabilities too, (B, H, W) uint8, 255 = certain (some ms more for
each pair). Its encoder side is fixed too. Class names and colours are in its metadata.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "export",
        summary="write a network as ONNX",
        description="Write a network as an ONNX file for one image size, and check that it gives the same results.",
        examples=EXAMPLES,
    )
    command.add_argument("--onnx", required=True, type=Path, help="file to write")
    add_options(command, "--weights", "--classes", "--encoder-side", "--batch")
    command.add_argument("--size", type=pixels, default=(480, 640), help="HxW in pixels, default: 480x640")
    command.add_argument("--confidence", action="store_true", help="give the probability of each pixel's class too")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Export, check, say what came of it; MrfsError and no file if the check fails."""
    if arguments.onnx.suffix != ".onnx" or arguments.onnx.is_dir():
        raise ConfigError(f"--onnx {arguments.onnx}: expected the name of a file that ends in .onnx")
    from mrfs_ros.engine.choose import is_right
    from mrfs_ros.engine.load import load_model
    from mrfs_ros.engine.onnx_file import EXPORTED_FROM, check_export, export_onnx
    from mrfs_ros.engine.protocol import UNTRAINED_NOTICE

    model = load_model(arguments.weights, arguments.classes, arguments.encoder_side)
    shape, side = (arguments.batch, *arguments.size), model.encoder_side
    seen = side.size(arguments.size)  # before anything is written
    made_folder(arguments.onnx.parent)
    provenance = {EXPORTED_FROM: Path(model.weights).name or UNTRAINED_NOTICE, "weights sha256": model.sha256}
    unchecked = arguments.onnx.with_suffix(".unchecked.onnx")
    try:
        confidence = arguments.confidence
        export_onnx(unchecked, model.network, model.classes, shape, provenance, side, confidence=confidence)
        difference, agreement = check_export(unchecked, model.network, shape, side)
        if not is_right(difference, agreement):
            raise MrfsError(
                f"ONNX Runtime computes something else than PyTorch: {agreement:.2%} of the labels are equal, fused "
                f"differs by up to {difference} of 255: nothing was written"
            )
        unchecked.replace(arguments.onnx)
    except OSError as error:
        raise MrfsError(f"{arguments.onnx}: cannot be written ({error.strerror}): choose another file") from error
    finally:
        unchecked.unlink(missing_ok=True)
    print(f"{arguments.onnx}: {model.network.config.title}, {len(model.classes)} classes ({model.classes.name})")
    if seen:
        print(f"encoders see pairs at {seen[0]}x{seen[1]} (HxW)")
    print(f"checked in ONNX Runtime: {agreement:.3%} of the labels equal, fused differs by at most {difference} of 255")
    return 0
