"""Scores, fusion metrics and time of a weights file over encoder sides, as table, plot and the file's default.

``python benchmarks/encoder_side.py --out out/encoder_side`` runs the val lists in shared/data, beside the project, and
writes encoder_side.json, .md and .png. ``--only scores`` and ``--only times`` do a half, for the lists named, and keep
what an earlier run with the same weights and sides left in the folder; in times the sides take turns frame by frame.
``--write`` puts the side with the best score into the weights file, ``--write 240`` another one: what ``encoder_side:
weights`` then means. Images that are not larger than a side are seen at their own size, as with that default.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mrfs_ros import load_engine
from mrfs_ros.checkpoint import write_encoder_side
from mrfs_ros.cli.options import entries
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.engine.encoder_side import EncoderSide
from mrfs_ros.engine.speeds import hardware, versions
from mrfs_ros.evaluation import metrics
from mrfs_ros.evaluation.dataset_scores import evaluated_gray
from mrfs_ros.evaluation.segmentation import confusion_matrix, segmentation_scores
from mrfs_ros.shipped import shipped_model

ROOT = Path(__file__).resolve().parent.parent
LISTS = ("msrs", "roadscene", "llvip", "msrs_more", "vtuav", "m3fd")
SIDES = (0, 480, 360, 300, 240, 200, 168, 120)
FUSION = ("EN", "SD", "SF", "AG", "SCD", "VIF", "Qabf")
TOGETHER = "mean of the lists"


def side_of(pixels: int) -> EncoderSide:
    return EncoderSide(pixels, "tried")


def fusion_of(fused: np.ndarray, pair) -> list[float]:
    """``FUSION`` of one fused image."""
    images = evaluated_gray(fused), evaluated_gray(pair.rgb), pair.thermal
    pairwise = (
        metrics.sum_of_correlations_of_differences,
        metrics.visual_information_fidelity,
        metrics.edge_preservation,
    )
    return [*metrics.no_reference_metrics(images[0]).values(), *(metric(*images) for metric in pairwise)]


def scored(engine, dataset: PairDataset, sides: list[int], every: int, title: str) -> dict[str, dict]:
    """Side to IoU by class, mIoU and fusion metrics (of every ``every``-th frame), for sides that change a frame."""
    classes = engine.info.classes
    confusion: dict[int, np.ndarray] = defaultdict(int)
    fusion: dict[int, list] = defaultdict(list)
    changes = {0}
    for number in tqdm(range(len(dataset)), desc=title, unit="pair"):
        pair, done = dataset[number], {}
        for side in sides:
            size = side_of(side).size(pair.rgb.shape[:2])
            if size not in done:
                engine.use_encoder_side(side_of(side))
                result = engine(pair.rgb, pair.thermal)
                done[size] = (
                    confusion_matrix(result.labels, pair.label, len(classes)),
                    fusion_of(result.fused, pair) if number % every == 0 else None,
                )
            if size is not None:
                changes.add(side)
            confusion[side] += done[size][0]
            if done[size][1]:
                fusion[side].append(done[size][1])
    rows = {}
    for side in sides:
        scores = segmentation_scores(confusion[side], classes)
        rows[str(side)] = {
            "changes": side in changes,
            "mIoU": float(np.mean(np.array(scores.iou)[~np.isnan(scores.recall)])),  # of the classes in its labels
            "IoU": {n: iou for n, iou in zip(classes.names, scores.iou) if not np.isnan(iou)},
            "fusion": dict(zip(FUSION, np.mean(fusion[side], axis=0).tolist())),
        }
    return rows


def timed(engine, dataset: PairDataset, sides: list[int], rounds: int) -> dict[str, float]:
    """Side to median time [ms] on a frame of the list's most frequent size; the sides take turns."""
    pair = next(pair for pair in dataset if pair.rgb.shape[:2] == most_frequent_size(dataset))
    times: dict[int, list[float]] = {side: [] for side in sides}
    for number in range(rounds + 1):  # the first does not count
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            engine.use_encoder_side(side_of(side))
            start = time.perf_counter()
            engine(pair.rgb, pair.thermal)
            times[side].append(1000 * (time.perf_counter() - start))
    return {str(side): float(np.median(values[1:])) for side, values in times.items()}


def sizes_of(dataset: PairDataset) -> Counter:
    return Counter(dataset[i].rgb.shape[:2] for i in range(len(dataset)))


def most_frequent_size(dataset: PairDataset) -> tuple[int, int]:
    return sizes_of(dataset).most_common(1)[0][0]


def described(dataset: PairDataset) -> str:
    """The list's sizes for people."""
    sizes = sizes_of(dataset)
    if len(sizes) <= 2:
        return ", ".join(f"{height}x{width}" for height, width in sorted(sizes))
    short = sorted(min(size) for size in sizes.elements())
    return f"short side {short[0]} to {short[-1]}, half of them from {short[len(short) // 2]} up"


def totals(content: dict) -> dict[str, float]:
    """Side to the mean over the lists of mIoU."""
    lists = content["lists"].values()
    return {side: float(np.mean([one["sides"][side]["mIoU"] for one in lists])) for side in content["sides"]}


def best_side(content: dict) -> int:
    """The side with the highest mean over the lists; of equal ones the quickest."""
    scores = totals(content)
    return min((int(side) for side in scores), key=lambda side: (-scores[str(side)], side or np.inf))


def markdown(content: dict) -> str:
    """The tables with what they depend on."""
    names = [n for n in content["classes"] if any(n in one["sides"]["0"]["IoU"] for one in content["lists"].values())]
    head = ["list", "encoder side", *names, "mIoU", *FUSION, "ms"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for name, one in content["lists"].items():
        title = f"{name}: {one['frames']} of {one['sizes']}"
        for side in content["sides"]:
            row = one["sides"][side]
            if not row["changes"]:
                continue
            ious = ["" if (iou := row["IoU"].get(n)) is None else f"{100 * iou:.1f}" for n in names]
            fusion = [f"{row['fusion'][metric]:.3g}" for metric in FUSION]
            ms = f"{one['ms'][side]:.1f}" if "ms" in one else ""
            lines.append([title, side_name(side), *ious, f"{100 * row['mIoU']:.1f}", *fusion, ms])
            title = ""
    scores = totals(content)
    together = [["encoder side", TOGETHER + ", mIoU"], ["---:", "---:"]]
    together += [[side_name(side), f"{100 * scores[side]:.1f}"] for side in content["sides"]]
    parts = [
        f"`{content['weights']}`; scores: {content['scored']}; times: {content.get('timed', 'not measured')}.",
        _table(lines),
        _table(together),
        f"Best: encoder side {side_name(str(best_side(content)))}.",
    ]
    return "\n\n".join(parts) + "\n"


def side_name(side: str) -> str:
    return "own" if side == "0" else side


def _table(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def picture(content: dict, path: Path) -> None:
    """mIoU, fusion metrics beside those at the own size, and time, over the side."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 4, figsize=(17, 4.6), layout="constrained")
    scores = totals(content)
    for number, (name, one) in enumerate(content["lists"].items()):
        sides = [side for side in content["sides"] if one["sides"][side]["changes"]]
        places = [one["short"] if side == "0" else int(side) for side in sides]
        rows, style = [one["sides"][side] for side in sides], {"color": f"C{number}", "label": name}
        own = rows[0]
        axes[0].plot(places, [100 * row["mIoU"] for row in rows], "o-", **style)
        for axis, metric in zip(axes[1:], ("SF", "VIF")):
            axis.plot(places, [row["fusion"][metric] / own["fusion"][metric] for row in rows], "o-", **style)
        if "ms" in one:
            axes[3].plot(places, [one["ms"][side] for side in sides], "o-", **style)
    sides = [side for side in content["sides"] if side != "0"]
    axes[0].plot([int(s) for s in sides], [100 * scores[s] for s in sides], "k--", label=TOGETHER)
    titles = ("mIoU [%]", "SF beside that at the own size", "VIF beside that at the own size", "time a pair [ms]")
    for axis, title in zip(axes, titles):
        axis.set(title=title, xlabel="encoder side [pixels], last: the image's own", xscale="log")
        axis.set_xticks([120, 168, 240, 360, 480, 720, 1024], [120, 168, 240, 360, 480, 720, 1024], minor=False)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[3].set_yscale("log")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=90)


def begun(path: Path, facts: dict, only: str | None) -> dict:
    """What an earlier run wrote, for half a run to go on with; a run of both halves begins anew."""
    if only is None or not path.is_file():
        if only == "times":
            raise SystemExit(f"{path}: has no scores yet: run with --only scores first")
        return {**facts, "lists": {}}
    content = json.loads(path.read_text())
    if different := [name for name, value in facts.items() if content[name] != value]:
        raise SystemExit(f"{path}: is of other {', '.join(different)}: remove it, or choose another --out")
    return content


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Scores, fusion metrics and time over encoder sides.")
    parser.add_argument("--weights", type=Path, default=shipped_model(), help="default: the model that comes along")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", help="folder of the datasets")
    parser.add_argument("--lists", type=entries, default=list(LISTS), help=f"default: {','.join(LISTS)}")
    parser.add_argument("--sides", type=entries, default=[str(s) for s in SIDES], help="pixels, 0 = the own size")
    parser.add_argument("--every", type=int, default=3, help="fusion metrics of every n-th frame (default: 3)")
    parser.add_argument("--rounds", type=int, default=9, help="timed frames of each side and list (default: 9)")
    parser.add_argument("--only", choices=("scores", "times"), help="half of it; times keep the scores")
    parser.add_argument("--write", nargs="?", type=int, const=-1, metavar="SIDE", help="into the file; default: best")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder for encoder_side.json, .md and .png")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "encoder_side.json"
    engine = load_engine(arguments.weights, arguments.device, arguments.backend, encoder_side=0)
    sides = sorted({0, *map(int, arguments.sides)} - {0}, reverse=True)
    facts = {
        "weights": arguments.weights.name,
        "sha256": engine.info.sha256,
        "classes": list(engine.info.classes.names),
        "sides": ["0", *map(str, sides)],
    }
    content = begun(path, facts, arguments.only)
    today = date.today().isoformat()
    for name in arguments.lists:
        dataset = PairDataset(DatasetConfig(root=str(arguments.data / name), split="val"), engine.info.classes)
        one = content["lists"].setdefault(name, {})
        one |= {"frames": len(dataset), "sizes": described(dataset), "short": min(most_frequent_size(dataset))}
        if arguments.only != "times":
            one["sides"] = scored(engine, dataset, [0, *sides], arguments.every, name)
            content["scored"] = f"{today}, fusion metrics of one frame in {arguments.every}"
        if arguments.only != "scores":
            changing = [side for side in (0, *sides) if one["sides"][str(side)]["changes"]]
            one["ms"] = timed(engine, dataset, changing, arguments.rounds)
            content["timed"] = f"{today}, {engine.info.backend}, {hardware(engine.info.device)}, PyTorch "
            content["timed"] += versions()["torch"]
        path.write_text(json.dumps(content, indent=1) + "\n")  # after each: what is interrupted leaves what it has
    (arguments.out / "encoder_side.md").write_text(markdown(content))
    picture(content, arguments.out / "encoder_side.png")
    print(markdown(content), end="")
    if arguments.write is not None:
        side = best_side(content) if arguments.write < 0 else arguments.write
        write_encoder_side(arguments.weights, side, f"benchmarks/encoder_side.py, {date.today().isoformat()}")
        print(f"{arguments.weights}: encoder side {side} written")


if __name__ == "__main__":
    main()
