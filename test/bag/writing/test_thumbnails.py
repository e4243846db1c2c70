"""Which frames get a small picture, and that a kill changes nothing about it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from made_frames import made_frame

from mrfs_ros.bag.writing.thumbnails import WIDTH, Thumbnails
from mrfs_ros.camera.image_io import read_rgb
from mrfs_ros.types import MFNET


def contents(thumbnails: Thumbnails) -> dict[int, bytes]:
    return {index: path.read_bytes() for index, path in thumbnails.pictures().items()}


def whole_run(folder, indices, most=6) -> Thumbnails:
    thumbnails = Thumbnails(folder, MFNET, most=most)
    thumbnails.resume(0)
    for index in indices:
        thumbnails.add(made_frame(index))
    return thumbnails


@pytest.mark.parametrize(
    "frames, kept",
    [
        (0, []),
        (1, [0]),
        (6, [0, 1, 2, 3, 4, 5]),
        (7, [0, 2, 4, 6]),
        (12, [0, 2, 4, 6, 8, 10]),
        (13, [0, 4, 8, 12]),
        (50, [0, 16, 32, 48]),
    ],
)
def test_every_so_many_th_frame_is_kept(tmp_path, frames, kept):
    assert list(whole_run(tmp_path / "t", range(frames)).pictures()) == kept


def test_pairs_without_an_answer_do_not_empty_the_strip(tmp_path):
    odd_ones = range(1, 60, 2)
    assert list(whole_run(tmp_path / "t", odd_ones).pictures()) == [1, 17, 33, 49]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_anywhere_keeps_the_same_pictures(tmp_path, seed):
    chance = random.Random(seed)
    frames = chance.randrange(20, 60)
    expected = contents(whole_run(tmp_path / "whole", range(frames)))
    folder, known = tmp_path / "killed", 0
    while known < frames:
        thumbnails = Thumbnails(folder, MFNET, most=6)
        thumbnails.resume(known)
        written = min(frames, known + chance.randrange(1, 20))
        for index in range(known, written):
            thumbnails.add(made_frame(index))
        known = written
    assert contents(thumbnails) == expected


def test_pictures_are_small_overlays_with_the_notice(tmp_path):
    thumbnails = Thumbnails(tmp_path / "t", MFNET, "UNTRAINED")
    thumbnails.resume(0)
    thumbnails.add(made_frame(0, 512, 640))
    picture = read_rgb(thumbnails.pictures()[0]).astype(int)
    assert picture.shape == (320, WIDTH, 3)
    assert np.median(picture[-24:]) < 10  # the dark strip of the notice
    assert thumbnails.pictures()[0].stat().st_size < 50_000
