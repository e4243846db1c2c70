"""``mrfs info``: what a weights file holds."""

from __future__ import annotations

import argparse

EXAMPLES = """examples:
  mrfs info models/mfnet_epoch.pth
  mrfs info models/weights.safetensors
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = commands.add_parser(
        "info",
        help="check a weights file and say what it holds",
        description="Check a weights file: variant, "
        "classes, checksum, provenance. Exit code 2 and the reason if it is no MRFS network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("weights", help=".pth, .pt or .safetensors file")
    command.add_argument(
        "--classes",
        default="",
        help="class set by name (MFNet, MSRS, FMB, PST900); default: what the file says or its class count tells",
    )
    return command


def run(arguments: argparse.Namespace) -> int:
    """Read the file, print its facts; CheckpointError if it is no MRFS network."""
    from mrfs_ros.checkpoint import read_checkpoint

    checkpoint = read_checkpoint(arguments.weights, arguments.classes)
    config, classes = checkpoint.config, checkpoint.classes
    parameters = sum(p.numel() for p in checkpoint.network().parameters())
    facts = {
        "file": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "variant": config.variant,
        "parameters": f"{parameters / 1e6:.1f} M",
        "head width": config.head_width,
        "BatchNorm eps": config.batch_norm_eps,
        "classes": f"{len(classes)} ({classes.name}): " + ", ".join(classes.names),
        **checkpoint.provenance,
    }
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        lines = [f"{key}: {entry}" for key, entry in value.items()] if isinstance(value, dict) else [value]
        for number, line in enumerate(lines or ["-"]):
            print(f"{name if number == 0 else '':<{width}}  {line}")
    return 0
