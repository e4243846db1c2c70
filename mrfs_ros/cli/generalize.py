"""``mrfs generalize``: the fused images of networks and other methods on data that no label is needed for."""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from mrfs_ros.cli.named_datasets import add_dataset_options, named_datasets
from mrfs_ros.cli.options import add_options, new_parser
from mrfs_ros.cli.sheet import Sheet
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs generalize --root /data/LLVIP --layout llvip --split test --weights models/mfnet.pth --out out/llvip
  mrfs generalize --root /data/LLVIP --layout llvip --every 20 --fused SeAFusion=/data/seafusion --out out/llvip

As in the paper's supplement, section 5: LLVIP with weights from MFNet, by EN and SD. Beside the networks stand each
input alone, and fusion without learning: average, maximum, Laplacian pyramid (Burt, Adelson 1983), guided filter (Li,
Kang, Hu 2013). The methods of the paper's figure (SDNet, U2Fusion, SeAFusion, DetFusion, DATFuse, CDDFuse, TGFuse,
SegMiF) are not part of this project: run their authors' code, and give each folder of outputs by --fused.
The folder gets scores.md, scores.json, frames.csv (every frame, every method), generalization.png and
contact_sheet.jpg (grey results in the colours of rgb). Metrics are those of `mrfs evaluate`, of grey images.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "generalize",
        summary="compare fused images with other methods', without labels",
        description="Score fused images on pairs without labels, against classical fusion and other methods' outputs.",
        examples=EXAMPLES,
    )
    add_dataset_options(command, "fused")
    command.add_argument("--out", required=True, type=Path, help="folder for the results, made if missing")
    add_options(command, "--weights", action="append", default=None)  # repeatable
    command.add_argument(
        "--fused",
        type=named_folder,
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another method's fused images, named as the pairs, grey or colour; may be repeated",
    )
    command.add_argument("--quick", action="store_true", help="EN, SD, SF and AG alone: a fraction of the time")
    add_options(command, "--every", "--device", "--backend")
    add_options(command, "--sheet", default=6)
    return command


def named_folder(text: str) -> tuple[str, Path]:
    """``NAME=DIR`` to its parts; an argument error for anything else, and for a NAME that would spoil a table."""
    name, _, folder = text.partition("=")
    if not folder or not re.fullmatch(r"[\w .()+-]{1,40}", name) or not name.strip(" ."):
        raise argparse.ArgumentTypeError(
            f"expected NAME=DIR, such as SeAFusion=out/sea (NAME: letters, digits, spaces, ._+-()), got {text!r}"
        )
    return name, Path(folder)


def run(arguments: argparse.Namespace) -> int:
    """Fuse and score everything, write tables and pictures, print the tables."""
    from tqdm import tqdm

    from mrfs_ros.engine import load_engine
    from mrfs_ros.studies.generalization import classical_methods, compare, frames_of, inputs_alone
    from mrfs_ros.studies.generalization_chart import check_matplotlib, write_chart
    from mrfs_ros.studies.generalization_report import markdown, write_generalization
    from mrfs_ros.studies.given_fusions import given_method

    check_matplotlib()
    datasets = named_datasets(arguments, None)
    frames = frames_of(datasets, arguments.every)
    given = [given_method(name, folder, frames) for name, folder in arguments.fused]
    engines = [load_engine(weights, arguments.device, arguments.backend) for weights in arguments.weights or [""]]
    methods = [*inputs_alone(), *classical_methods(), *given, *_networks(engines)]
    made_folder(arguments.out)
    sheet = Sheet(len(frames), arguments.sheet, partial(_panels, methods))
    comparison = compare(
        methods,
        frames,
        quick=arguments.quick,
        watch=sheet.add,
        progress=lambda entries: tqdm(entries, unit="pair", file=sys.stderr, dynamic_ncols=True),
    )
    facts = _facts(methods, engines, datasets, arguments)
    write_generalization(comparison, arguments.out, facts)
    write_chart(comparison, arguments.out / "generalization.png", ", ".join(datasets))
    sheet.write(arguments.out / "contact_sheet.jpg")
    print(markdown(comparison, facts))
    print(f"written to {arguments.out}: scores.md, scores.json, frames.csv, generalization.png, contact_sheet.jpg")
    return 0


def _networks(engines: list) -> list:
    """One method an engine, named by its variant, and where that does not tell them apart by its file and folder."""
    from mrfs_ros.preprocess import PairImages
    from mrfs_ros.process import process_pairs
    from mrfs_ros.studies.generalization import Method

    def fused(engine, pair):
        [(_, result)] = process_pairs(engine, [PairImages(pair.rgb, pair.thermal, seen=pair.valid)])
        return result.fused

    names = [engine.info.variant for engine in engines]
    for depth in (1, 2):
        if max(Counter(names).values()) > 1:
            names = [_file_name(engine.info, depth) for engine in engines]
    return [
        Method(
            f"MRFS {name}, UNTRAINED" if engine.info.untrained else f"MRFS {name}",
            "network",
            partial(fused, engine),
        )
        for name, engine in zip(names, engines)
    ]


def _file_name(info, depth: int) -> str:
    """The last ``depth`` parts of the weights' path; the variant where there is no file."""
    return "/".join(Path(info.weights).with_suffix("").parts[-depth:]) if info.weights else info.variant


def _facts(methods: list, engines: list, datasets: dict, arguments: argparse.Namespace) -> dict[str, str]:
    networks = [method.name for method in methods if method.kind == "network"]
    pairs = ", ".join(f"{name}: {len(dataset)} pairs" for name, dataset in datasets.items())
    return {
        **{f"network {name}": str(engine.info) for name, engine in zip(networks, engines)},
        **{f"given {name}": f"images in {folder}" for name, folder in arguments.fused},
        "data": pairs if arguments.every == 1 else f"{pairs}; of each, one in {arguments.every}",
        "fused images": "whole, grey, as each method gives them",
    }


def _panels(methods: list, pair, images: list) -> dict:
    """The images of all methods of a frame, grey ones in the colours of rgb."""
    from mrfs_ros.draw import with_colours

    shown = [
        image if method.kind == "input" or image.ndim == 3 else with_colours(image, pair.rgb)
        for method, image in zip(methods, images)
    ]
    first, *others = (method.name for method in methods)
    return dict(zip((f"{first}, {pair.name}", *others), shown))
