"""Files that others wait for are put in their place in one step: what stood there stands until the new one is whole."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mrfs_ros.types import MFNET


def csv_table(path: Path) -> None:
    from mrfs_ros.bag.writing.csv_table import write_table

    write_table(path, [], MFNET, [])


def checkpoint(path: Path) -> None:
    from mrfs_ros.checkpoint import save_checkpoint
    from mrfs_ros.config import NetworkConfig
    from mrfs_ros.network import build_network

    save_checkpoint(path, build_network(NetworkConfig(head_width=16)), MFNET, {})


def scores(path: Path) -> None:
    from mrfs_ros.evaluation.dataset_scores import Evaluation, FrameScores
    from mrfs_ros.evaluation.score_report import write_report

    frame = FrameScores("set", "00001D", False, 0.1, np.eye(len(MFNET), len(MFNET) + 1, dtype=np.int64))
    write_report(Evaluation(MFNET, [frame]), path.parent, {})


WRITERS = {"results.csv": csv_table, "weights.safetensors": checkpoint, "scores.json": scores}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_is_replaced_in_one_step(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(b"old")
    replace = os.replace

    def cut(old, new, *_, **__):
        if os.fspath(new) == str(path):
            raise KeyboardInterrupt  # as if the process ended here, all bytes written and none of them in place
        replace(old, new)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(os, "replace", cut)
        patched.setattr(os, "rename", cut)
        WRITERS[name](path)
    assert path.read_bytes() == b"old"
    WRITERS[name](path)
    assert path.stat().st_size > 100
