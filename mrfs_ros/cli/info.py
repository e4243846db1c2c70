"""``mrfs info``: what a weights file holds."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from mrfs_ros.cli.options import add_options, new_parser
from mrfs_ros.config import NetworkConfig

EXAMPLES = """examples:
  mrfs info models/mfnet.pth
  mrfs info models/mrfs_b0_street.safetensors
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "info",
        summary="check a weights file and say what it holds",
        description="Check a weights file: variant, "
        "classes, checksum, provenance. Exit code 2 and the reason if it is no MRFS network.",
        examples=EXAMPLES,
    )
    command.add_argument("weights", help=".pth, .pt, .safetensors file, or .onnx of mrfs export")
    add_options(command, "--classes")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Read the file, print its facts; CheckpointError if it is no MRFS network."""
    path = Path(arguments.weights).expanduser()
    facts = _of_onnx(path) if path.suffix == ".onnx" else _of_weights(path, arguments.classes)
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        lines = [f"{key}: {entry}" for key, entry in value.items()] if isinstance(value, dict) else [value]
        for number, line in enumerate(lines or ["-"]):
            print(f"{name if number == 0 else '':<{width}}  {line}")
    return 0


def _of_weights(path: Path, class_set: str) -> dict:
    from mrfs_ros.checkpoint import read_checkpoint
    from mrfs_ros.engine.encoder_side import of_file

    checkpoint = read_checkpoint(path, class_set)
    config = checkpoint.config
    return {
        "file": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "variant": config.title,
        **_costs(config),
        "head width": config.head_width,
        "BatchNorm eps": config.batch_norm_eps,
        "encoder side": str(of_file(checkpoint.encoder_side)),
        "classes": _described(checkpoint.classes),
        **checkpoint.provenance,
    }


def _costs(config: NetworkConfig) -> dict[str, str]:
    """Parameters and multiply-adds, of a variant beside those of the paper's network."""
    from mrfs_ros.network.cost import network_cost

    paper = replace(config, visual_attention="igm", semantic_attention="pc")
    costs = [network_cost(one) for one in dict.fromkeys((config, paper))]
    beside = ", the paper's network: "
    return {
        "parameters": beside.join(f"{cost.parameters / 1e6:.2f} M" for cost in costs),
        "multiply-adds": beside.join(f"{cost.multiply_adds / 1e9:.1f} G" for cost in costs) + " (a pair of 480x640)",
    }


def _of_onnx(path: Path) -> dict:
    from mrfs_ros.engine.onnx_file import described, read_onnx

    file = read_onnx(path)
    return {
        "file": str(path),
        "sha256": file.sha256,
        "variant": file.config.title,
        "takes": described(file.shape),
        "encoder side": str(file.encoder_side),
        "classes": _described(file.classes),
        **file.provenance,
    }


def _described(classes) -> str:
    return f"{len(classes)} ({classes.name}): " + ", ".join(classes.names)
