"""What the reader keeps, against the network's own parts run by hand; and the sheet made of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mrfs_ros import load_engine
from mrfs_ros.engine.load import load_model
from mrfs_ros.errors import ImageError
from mrfs_ros.studies.feature_maps import FeatureReader
from mrfs_ros.studies.feature_sheet import feature_sheet


@pytest.fixture(scope="module")
def reader(tiny_weights) -> FeatureReader:
    return FeatureReader(load_model(tiny_weights), "cpu")


def test_features_are_those_of_the_network(reader, tiny_weights, small_pair):
    blocks, result = reader(*small_pair)
    network = load_model(tiny_weights).network.eval()
    rgb, thermal = (torch.from_numpy(x.astype(np.float32) / 255) for x in small_pair)
    with torch.inference_mode():
        features = network.features(rgb.permute(2, 0, 1)[None], thermal[None, None])
        for i, block in enumerate(blocks):
            assert torch.allclose(torch.from_numpy(block.rgb_after), features.visual_rgb[i][0], atol=1e-5)
            assert torch.allclose(torch.from_numpy(block.thermal_after), features.visual_thermal[i][0], atol=1e-5)
            assert torch.allclose(torch.from_numpy(block.semantic), features.semantic[i][0], atol=1e-5)
            before = (torch.from_numpy(x)[None] for x in (block.rgb_before, block.thermal_before))
            for ours, after in zip(network.backbone.IGMAVCs[i](*before), (block.rgb_after, block.thermal_after)):
                assert torch.allclose(ours[0], torch.from_numpy(after), atol=1e-5)
    assert [block.semantic.shape for block in blocks] == [(32, 24, 32), (64, 12, 16), (160, 6, 8), (256, 3, 4)]
    expected = load_engine(tiny_weights, "cpu", "eager")(*small_pair)
    assert (result.labels == expected.labels).all() and (result.fused == expected.fused).all()


def test_a_pair_after_a_bad_one_is_read_as_the_first(reader, small_pair):
    first, _ = reader(*small_pair)
    with pytest.raises(ImageError, match="expected equal sizes"):
        reader(small_pair[0], small_pair[1][:64])
    again, _ = reader(*small_pair)
    assert len(again) == 4
    assert all((a.semantic == b.semantic).all() for a, b in zip(first, again))


@pytest.mark.parametrize(
    "size, panel", [((96, 128), 237), ((32, 32), 316), ((96, 40), 400), ((32, 640), 16), ((33, 65), 160)]
)
def test_the_sheet_fits_pairs_of_any_shape(reader, size, panel):
    rng = np.random.default_rng(0)
    pair = rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 256, size, np.uint8)
    sheet = feature_sheet(*pair, *reader(*pair), reader.info, title="street")
    assert sheet.shape == (2 * 26 + 3 * (26 + panel), 5 * 320 + 48, 3)
    assert sheet.dtype == np.uint8


def test_the_sheet_shows_the_inputs_and_a_colour_bar(reader, small_pair):
    rgb, thermal = np.full((96, 128, 3), (10, 200, 30), np.uint8), np.full((96, 128), 77, np.uint8)
    blocks, result = reader(*small_pair)
    sheet = feature_sheet(rgb, thermal, blocks, result, reader.info)
    assert (sheet[78 : 78 + 237, :316] == (10, 200, 30)).all()
    assert (sheet[78 + 237 + 26 :][:237, :316] == 77).all()
    bar = sheet[86:-30, -10].astype(int)
    assert bar[0, 0] > bar[0, 2] and bar[-1, 2] > bar[-1, 0]


def test_an_untrained_network_says_so_below_the_maps(reader, small_pair):
    untrained = FeatureReader(load_model("untrained"), "cpu")
    sheet = feature_sheet(*small_pair, *untrained(*small_pair), untrained.info)
    trained = feature_sheet(*small_pair, *reader(*small_pair), reader.info)
    assert len(sheet) == len(trained) + 26
    assert (sheet[-26:] == 0).mean() > 0.5


def test_the_sheet_of_a_variant_says_that_it_is_one(reader, small_pair):
    own, other = (replace(reader.info, variant=f"mit_b0{kind}") for kind in ("", " with visual_attention none"))
    sheets = [feature_sheet(*small_pair, *reader(*small_pair), info) for info in (own, other)]
    assert (sheets[0][:26] != sheets[1][:26]).any() and (sheets[0][26:] == sheets[1][26:]).all()
