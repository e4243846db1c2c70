"""What stands for what when the documents' commands are run, and what cannot run here: one table, to be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Files and folders that the commands name and that exist in no clone; workspace.py makes them.
PLACES = {
    "drive": "a recorded drive: 15 s of two cameras that shake over a sample frame, 30 and 9 Hz, thermal 20 ms late",
    "board": "a recorded calibration: a rendered chessboard, light on dark in thermal",
    "day": "frames of a day: the first two sample pairs",
    "recordings": "a fleet's recordings: two bags of three small pairs",
    "nights.txt": "a list of bags: those of recordings/",
    "data/MFNet": "MFNet: six small cuts of the samples in its layout, labels from their heat",
    "../shared/data/msrs, roadscene, llvip, msrs_more, vtuav, m3fd": "sets with this project's labels: the same cuts",
    "../shared/data/camvid": "CamVid: rgb and labels of the same cuts",
    "data/LLVIP": "LLVIP: the same cuts in its layout, without labels",
    "llvip_512x640": "those frames scaled: the same cuts",
    "out/mine": "another method's output: the mean of both images, one for each pair of data/LLVIP",
    "farm, farm.yaml": "frames of one's own: the same cuts, and the settings that the training guide shows",
    "camera.yaml, camera_calib.yaml": "what the camera guide shows, and a calibration that changes nothing",
    "raw": "thermal images of 16 bits: two samples, their grey as degrees, in centikelvin",
    "street.jpg, street_ir.jpg": "a pair of one's own: the first sample",
    "models/mfnet.pth": "the authors' mit_b4 for MFNet: a random mit_b0 in a file of the same make",
}

_SMALL = (
    "--set variant=mit_b0 --set head_width=32 --set \"pretrained=''\" --set batch_size=2 --set crop_height=64 "
    "--set crop_width=96 --set steps=2 --set workers=0 --set amp=none"
)
_FEW = "--set steps=2 --set workers=0 --set batch_size=2 --set crop_height=64 --set crop_width=96 --set amp=none"

# Commands that run with words added.
ADDED = {
    "mrfs train config/train_mfnet.yaml --out runs/mfnet": (_SMALL, "two steps of a small network, in place of days"),
    "mrfs train farm.yaml --out runs/mine": (_FEW, "two steps in place of hours"),
    "mrfs train farm.yaml --out runs/mine --resume": (_FEW, "as above"),
    "torchrun --nproc-per-node 2 -m mrfs_ros.cli.main train config/train_mfnet.yaml --out runs/mfnet": (
        _SMALL + " --resume --device cpu",
        "the same on the CPU, on top of the run before",
    ),
    "mrfs train benchmarks/robust_without.yaml --out runs/robust_without --set init=../first.safetensors": (
        _FEW,
        "two steps in place of 22 minutes",
    ),
    "mrfs train benchmarks/robust_with.yaml --out runs/robust_with --set init=../first.safetensors": (
        _FEW,
        "two steps in place of 22 minutes",
    ),
    "mrfs train config/train_street.yaml --out runs/street --time-budget 8h": (_FEW, "two steps in place of hours"),
    "mrfs train config/train_street_fusion.yaml --out runs/street_fusion": (_FEW, "two steps in place of minutes"),
    "mrfs ablate farm.yaml --out runs/ablation --seeds 0,1,2": (
        _FEW + " --variants full,model_1",
        "two steps of two small networks, in place of days",
    ),
    "mrfs ablate farm.yaml --out runs/parts --variants full,rmIGM,rmPC": (_FEW, "as above"),
    "mrfs ablate config/ablate_street.yaml --out runs/ablation_street --seeds 0,1,2 --pictures samples --sheet 2": (
        _FEW + " --variants rmPC",
        "two steps of one variant, in place of two hours",
    ),
    "mrfs bench --backends torch --encoder-sides 0,360,240,168": ("--rounds 1", "one frame of each"),
    "python benchmarks/encoder_side.py --out out/encoder_side": (
        "--lists msrs,roadscene --sides 64,48 --rounds 1",
        "two stand-ins of six lists, which are not in the project",
    ),
    "mrfs bench": ("--rounds 1 --sizes 64x96", "one small frame of each backend: the real one takes minutes"),
}

# Commands in whose place another one runs.
INSTEAD = {
    "make demo": ("python samples/demo.py --out out", "the target's only line; the set-up was done before"),
    "python benchmarks/calibration.py samples:19 samples:20 ../shared/data/llvip:0100": (
        "python benchmarks/calibration.py samples:20",
        "one of three scenes",
    ),
    "git show 0f4ee34:models/mrfs_b0_street.safetensors > first.safetensors": (
        "cp models/mrfs_b0_street.safetensors first.safetensors",
        "the history is not there",
    ),
    "mrfs bag out/drive --rerun out/drive.rrd && rerun out/drive.rrd": (
        "mrfs bag out/drive --rerun out/drive.rrd",
        "the viewer opens a window",
    ),
}

# Commands that run until somebody stops them: here, at the end of their block.
UNTIL_STOPPED = (r"mrfs_node .*", r"mrfs record .*")

# Commands that the text shows as alternatives to each other: each runs in a workspace of its own.
ALTERNATIVES = (r"mrfs calibrate .*", r"mrfs bags .*")

# Commands that cannot run here, and why.
NOT_RUN = {
    r"ros2 (launch|bag|topic|param|run|lifecycle) .*": "needs a ROS installation; launch arguments are checked as text",
    r"export FAST\w+=\$\(ros2 pkg prefix .*": "needs a ROS installation",
    r"export FASTDDS_DEFAULT_PROFILES_FILE=\$FASTRTPS_DEFAULT_PROFILES_FILE": "goes with the line above it",
    r"export RMW_IMPLEMENTATION=.*": "needs a middleware that has no wheels",
    r"sudo sysctl .*": "needs root, and changes the machine",
    r"cd ~/ros2_ws && git clone .*": "needs the network",
    r"rosdep .*": "needs a ROS installation and root",
    r"python3 -m pip install -r src/.*": "would change the environment; the file is checked to be there",
    r"colcon build .*": "tested by test/test_install.py; sourcing needs a ROS installation",
    r"pip install -e .*": "would change the environment; the extras are checked to exist",
    r"make (setup|test|test-core|lint|docs)": "this check is part of the run that does them",
    r"mrfs bags 's3://.*": "needs a cluster and a bucket",
    r"bash benchmarks/train_street\.sh .*": "needs frames that are not in the project, and minutes",
    r"python benchmarks/pack_dataset\.py .*": "packs frames that are not in the project",
}

# Everything else must be of these kinds, and runs as it is written.
AS_WRITTEN = (
    r"mrfs (fuse|bag|bags|calibrate|info|preview|evaluate|generalize|features|export|play) .*",
    r"mrfs ablate --list",
    r"python samples/make_bag\.py .*",
    r"python benchmarks/robustness\.py .*",
    r"python benchmarks/flicker\.py .*",
    r"export FASTRTPS_DEFAULT_PROFILES_FILE=\$PWD/.*",
)


@dataclass(frozen=True)
class Plan:
    """How a command is run; ``command`` is empty if it is not, ``note`` says why or what is different."""

    command: str
    note: str = ""
    until_stopped: bool = False
    alternative: bool = False


def plan(command: str) -> Plan | None:
    """What the table says about ``command``; None if it says nothing."""
    for pattern, reason in NOT_RUN.items():
        if re.fullmatch(pattern, command):
            return Plan("", reason)
    if command in ADDED:
        words, why = ADDED[command]
        return Plan(f"{command} {words}", f"{why}; added: {words}")
    if command in INSTEAD:
        other, why = INSTEAD[command]
        return Plan(other, f"{why}; in its place: {other}")
    if _any(UNTIL_STOPPED, command):
        return Plan(command, "stopped at the end of its block", until_stopped=True)
    return Plan(command, alternative=_any(ALTERNATIVES, command)) if _any(AS_WRITTEN, command) else None


def _any(patterns: tuple[str, ...], command: str) -> bool:
    return any(re.fullmatch(pattern, command) for pattern in patterns)
