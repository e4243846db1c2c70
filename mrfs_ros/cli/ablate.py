"""``mrfs ablate``: variants of the network trained and scored alike, one table and one sheet of pictures out."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from mrfs_ros.cli.options import add_options, entries, new_parser
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs ablate --list
  mrfs ablate config/ablate_street.yaml --out runs/ablation
  mrfs ablate config/train_mfnet.yaml --out runs/ablation --variants full,rmIGM,rmPC --seeds 0,1,2

CONFIG is any training configuration; own variants stand in it under variants, as name: {setting: value}. The same
command goes on where it was stopped; started twice, both processes share the runs. The folder gets ablation.md,
ablation.json, ablation.jpg, and a run folder for every variant and seed.
"""
JPEG_QUALITY = 75  # enough for panels of 240 pixels: two frames by nine variants take some 300 kB
_ORIGIN = ("commit", "torch", "device", "date")  # of the runs: the table may be written elsewhere, and later


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "ablate",
        summary="train and compare variants of the network, as the paper does",
        description="Train variants of the network under equal budgets and seeds, score them, compare them.",
        examples=EXAMPLES,
    )
    command.add_argument("config", nargs="?", type=Path, help="training configuration that all variants share")
    command.add_argument("--out", type=Path, help="folder for runs and results, made if missing")
    command.add_argument("--list", action="store_true", help="print the variants with their costs, and end")
    command.add_argument(
        "--variants", type=entries, metavar="A,B", help="which ones (default: the paper's, and those of CONFIG)"
    )
    command.add_argument("--seeds", type=entries, default=["0"], metavar="0,1", help="a run for each (default: 0)")
    add_options(command, "--set")
    add_options(command, "--sheet", default=4)
    command.add_argument(
        "--pictures", metavar="DIR", help="folder with rgb/ and thermal/ whose frames the sheet shows (default: val)"
    )
    add_options(command, "--device", "--backend")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Do all runs that are not done, then write and print the table; exit code 3 if some could not be done."""
    from mrfs_ros.studies.ablation_variants import known_variants, variant_costs
    from mrfs_ros.training.train_config import TrainConfig, load_config

    config = load_config(arguments.config, arguments.set) if arguments.config else TrainConfig()
    names = arguments.variants or list(known_variants(config))
    if arguments.list:
        _print_list(known_variants(config), variant_costs(config, names))
        return 0
    if len(set(names)) < len(names):
        raise ConfigError(f"--variants: expected each one once, got {','.join(names)}")
    if not arguments.config or not arguments.out:
        raise ConfigError("expected CONFIG and --out FOLDER, or --list")
    return _study(config, names, arguments)


def _study(config, names: list[str], arguments: argparse.Namespace) -> int:
    from mrfs_ros.studies.ablation import planned_runs, read_data

    runs = planned_runs(config, names, _seeds(arguments.seeds), arguments.out)
    data = read_data(config)
    shown = _pictures(arguments.pictures, config.class_set()) if arguments.pictures else list(data.val.values())
    made_folder(arguments.out)
    print(*data.notes, sep="\n")
    print(
        f"{len(names)} variants, {len(arguments.seeds)} seeds, each {config.steps} steps of {config.batch_size} crops; "
        f"{sum(run.done for run in runs)} of {len(runs)} runs are done"
    )
    _do_all(runs, data, arguments)
    _write_results(config, runs, data, shown, arguments)
    left = sum(not run.done for run in runs)  # asked now: another process may have ended what this one left to it
    if left:
        print(f"mrfs: {left} of {len(runs)} runs are not done: run this again to go on", file=sys.stderr)
    return 3 if left else 0


def _do_all(runs, data, arguments: argparse.Namespace) -> None:
    """Do what is left; says at once which runs fail, or are left to another process."""
    from tqdm import tqdm

    from mrfs_ros.studies.ablation import do_run

    bar = partial(tqdm, dynamic_ncols=True, mininterval=1.0, file=sys.stderr)
    for number, wanted in enumerate(runs, start=1):
        if wanted.done:
            continue
        title = f"run {number} of {len(runs)}: {wanted.variant}, seed {wanted.seed}"
        try:
            do_run(
                wanted,
                data,
                device=arguments.device,
                backend=arguments.backend,
                training_bar=partial(bar, desc=title),
                scoring_bar=partial(bar, desc=f"{title}, scores", unit="pair"),
            )
        except MrfsError as error:
            tqdm.write(f"mrfs: {wanted.variant}, seed {wanted.seed}: {error}", file=sys.stderr)


def _pictures(folder: str, classes) -> list:
    from mrfs_ros.data.dataset import DatasetConfig, PairDataset

    return [PairDataset(DatasetConfig(root=folder, split="all"), classes)]


def _write_results(config, runs, data, shown: list, arguments: argparse.Namespace) -> None:
    from mrfs_ros.camera.image_io import write_jpeg
    from mrfs_ros.studies.ablation_sheet import variants_sheet
    from mrfs_ros.studies.ablation_table import scored, write_table
    from mrfs_ros.studies.ablation_variants import known_variants, variant_costs

    results = scored(runs)
    if not results:
        return
    costs = variant_costs(config, [result.variant for result in results])
    print(write_table(arguments.out, results, known_variants(config), costs, _facts(config, runs, data)))
    sheet = variants_sheet(runs, shown, frames=arguments.sheet, device=arguments.device, backend=arguments.backend)
    write_jpeg(arguments.out / "ablation.jpg", sheet, JPEG_QUALITY)
    print(f"written to {arguments.out}: ablation.md, ablation.json, ablation.jpg")


def _facts(config, runs, data) -> dict[str, str]:
    from mrfs_ros.training.run_folder import origin

    origins = [run.provenance() for run in runs if run.done]
    start = f"encoders of {Path(config.pretrained).name}" if config.pretrained else Path(config.init).name or "scratch"
    return {
        "runs": f"{sum(run.done for run in runs)} of {len(runs)} done",
        "budget of each": f"{config.steps} steps of {config.batch_size} crops of {config.crop_height}x"
        f"{config.crop_width}, from {start}; weights: average after the last step, logits not shifted",
        "learnt from": f"{sum(map(len, data.train))} pairs",
        "scored on": ", ".join(f"{name}: {len(dataset)} pairs" for name, dataset in data.val.items()),
        "command": origin()["command"],
        **{name: ", ".join(dict.fromkeys(facts.get(name, "unknown") for facts in origins)) for name in _ORIGIN},
    }


def _seeds(texts: list[str]) -> list[int]:
    seeds = [int(text) for text in texts if text.isdecimal()]
    if len(set(seeds)) < len(texts):  # 0 and 00 are one
        raise ConfigError(f"--seeds: expected different whole numbers such as 0,1,2, got {','.join(texts)}")
    return seeds


def _print_list(changes, costs) -> None:
    from mrfs_ros.evaluation.score_report import table

    rows = [
        [name, changes[name].text, f"{cost.parameters / 1e6:.2f}", f"{cost.multiply_adds / 1e9:.1f}"]
        for name, cost in costs.items()
    ]
    print(table(["variant", "change", "parameters, M", "multiply-adds at 480x640, G"], rows))
