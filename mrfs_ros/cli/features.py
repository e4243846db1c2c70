"""``mrfs features``: what the four blocks see in a pair, and how alike the cameras' features are."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from mrfs_ros.cli.image_pairs import INCOMPLETE, add_pair_options, named_pairs
from mrfs_ros.cli.options import new_parser
from mrfs_ros.errors import ImageError, MrfsError
from mrfs_ros.files import made_folder, write_text

EXAMPLES = """examples:
  mrfs features --rgb street.jpg --thermal street_ir.jpg --out out/features
  mrfs features --rgb samples/rgb --thermal samples/thermal --out out/features

For each pair NAME, the folder gets features_NAME.jpg: heat maps of IGM-Att (rgb, thermal) and PC-Att in blocks 1 to 4.
similarity.json and similarity.png (which needs matplotlib) hold linear CKA and cosine similarity of the rgb and thermal
features of each block, before and after IGM-Att, beside what displaced images give by chance. The printed table ends
with whether they grow alike with depth, as the paper says. With mrfs_b0_street on 44 LLVIP pairs they do not: CKA after
IGM-Att is 0.50, 0.82, 0.59 and 0.39 in blocks 1 to 4 (docs/features.md). Exit code 2 if any pair could not be used,
3 if images have no partner.
"""
JPEG_QUALITY = 75  # enough for smooth maps: a sheet takes about 250 kB


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "features",
        summary="show the features of the four blocks, and how alike rgb and thermal ones are",
        description="Draw the feature maps of a pair of image files, or of two folders whose files pair by name, and "
        "measure how alike the rgb and thermal features are (the paper's supplement, section 1).",
        examples=EXAMPLES,
    )
    add_pair_options(command)
    return command


def run(arguments: argparse.Namespace) -> int:
    """Draw and measure every pair; a bad pair is named and the others go on."""
    found = named_pairs(arguments)
    pairs = found.pairs

    from tqdm import tqdm

    from mrfs_ros.engine.load import load_model, resolve_device
    from mrfs_ros.geometry.registration import load_registration
    from mrfs_ros.studies.feature_maps import FeatureReader

    registration = load_registration(arguments.calibration)
    device = resolve_device(arguments.device)
    reader = FeatureReader(load_model(arguments.weights, arguments.classes, arguments.encoder_side), device)
    print(f"network: {reader.info}")
    made_folder(arguments.out)
    measured = []
    for name, rgb, thermal in tqdm(pairs, unit="pair", disable=len(pairs) == 1):
        try:
            measured.append(_study_pair(reader, registration, name, rgb, thermal, arguments))
        except MrfsError as error:
            tqdm.write(f"mrfs: error: {error}", file=sys.stderr)
    print(f"{len(measured)} of {len(pairs)} pairs drawn, results in {arguments.out}")
    if measured:
        _report(measured, reader.info, arguments.out)
    if len(measured) < len(pairs):
        return 2
    return INCOMPLETE if found.losses else 0


def _study_pair(reader, registration, name: str, rgb: Path, thermal: Path, arguments: argparse.Namespace):
    """Write the sheet of a pair; return its similarities."""
    from mrfs_ros.camera.image_io import write_jpeg
    from mrfs_ros.data.pair_files import read_pair
    from mrfs_ros.studies.feature_sheet import feature_sheet
    from mrfs_ros.studies.similarity import pair_similarity

    pixels, grey = read_pair(rgb, thermal, arguments.max_image_pixels)
    try:
        thermal_image, warp = registration.prepared(grey, pixels.shape[:2])
        images = pixels, thermal_image if warp is None else warp(thermal_image)
        blocks, result = reader(*images)
    except ImageError as error:
        raise ImageError(f"{rgb} and {thermal}: {error}", error.reason) from error
    sheet = feature_sheet(*images, blocks, result, reader.info, title=name)
    write_jpeg(arguments.out / f"features_{name}.jpg", sheet, JPEG_QUALITY)
    return pair_similarity(name, blocks)


def _report(measured: list, info, out: Path) -> None:
    """Print the table, write it as JSON and, last because it can lack its package, as a plot."""
    from mrfs_ros.engine.protocol import UNTRAINED_NOTICE
    from mrfs_ros.studies.similarity_plot import write_plot
    from mrfs_ros.studies.similarity_report import as_json, markdown

    content = json.dumps(as_json(measured, {"network": str(info)}), indent=1, allow_nan=False)
    write_text(out / "similarity.json", content + "\n")
    print(f"\nrgb and thermal features, mean ± standard deviation, pairs: {len(measured)}\n")
    print(markdown(measured))
    title = UNTRAINED_NOTICE if info.untrained else Path(info.weights).name
    write_plot(out / "similarity.png", measured, f"{title}, pairs: {len(measured)}")
