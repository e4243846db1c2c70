"""The comparison's numbers are those of each image scored by itself."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_pairs import NAMES, dataset, write_pairs

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.studies.classical_fusion import average, guided_fusion, laplacian_pyramid, maximum
from mrfs_ros.studies.generalization import Method, classical_methods, compare, frames_of, inputs_alone


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = tmp_path_factory.mktemp("street")
    write_pairs(root)
    return dataset(root)


def test_values_are_those_of_each_image_by_itself(pairs):
    red = Method("red", "network", lambda pair: pair.rgb * np.array([1, 0, 0], np.uint8))
    methods = [*inputs_alone(), *classical_methods(), red]
    comparison = compare(methods, frames_of({"street": pairs}))
    assert [(frame.dataset, frame.name) for frame in comparison.frames] == [("street", name) for name in NAMES]
    for number, pair in enumerate(pairs):
        gray = cv2.cvtColor(pair.rgb, cv2.COLOR_RGB2GRAY)
        images = {
            "rgb alone": gray,
            "thermal alone": pair.thermal,
            "average": average(gray, pair.thermal),
            "maximum": maximum(gray, pair.thermal),
            "Laplacian pyramid": laplacian_pyramid(gray, pair.thermal),
            "guided filter": guided_fusion(gray, pair.thermal),
            "red": cv2.cvtColor(red.fuse(pair), cv2.COLOR_RGB2GRAY),
        }
        assert list(images) == [method.name for method in methods]
        for row, image in zip(comparison.values[:, number], images.values()):
            scores = fusion_metrics(image, gray, pair.thermal)
            assert row.tolist() == [scores[metric] for metric in comparison.metrics]


def test_mean_and_spread_are_over_frames(pairs):
    comparison = compare(inputs_alone(), frames_of({"street": pairs}))
    means, spreads = comparison.of("SD")
    deviations = [float(pair.thermal.std()) for pair in pairs]
    assert means[1] == pytest.approx(sum(deviations) / 3)
    assert spreads[1] == pytest.approx((sum((d - means[1]) ** 2 for d in deviations) / 3) ** 0.5)


def test_quick_is_the_same_in_less(pairs):
    frames = frames_of({"street": pairs})
    quick, whole = compare(classical_methods(), frames, quick=True), compare(classical_methods(), frames)
    assert quick.metrics == whole.metrics[:4] == ("EN", "SD", "SF", "AG")
    np.testing.assert_array_equal(quick.values, whole.values[:, :, :4])


def test_every_other_pair_of_each_dataset_is_shown_and_counted(pairs):
    frames = frames_of({"one": pairs, "other": pairs}, every=2)
    assert [(frame.dataset, frame.name) for frame in frames] == [
        ("one", "a"), ("one", "c"), ("other", "a"), ("other", "c"),
    ]  # fmt: skip
    seen, counted = [], []
    compare(
        inputs_alone(),
        frames,
        quick=True,
        watch=lambda pair, images: seen.append((pair.name, (images[1] == pair.thermal).all())),
        progress=lambda entries: counted.extend(entries) or entries,
    )
    assert seen == [("a", True), ("c", True)] * 2
    assert counted == frames


def test_equal_inputs_have_no_finite_noise_and_no_warning(tmp_path, recwarn):
    write_pairs(tmp_path)
    for name in NAMES:
        cv2.imwrite(str(tmp_path / "rgb" / f"{name}.png"), cv2.imread(str(tmp_path / "thermal" / f"{name}.png")))
    means, _ = compare(classical_methods(), frames_of({"grey": dataset(tmp_path)})).of("PSNR")
    assert np.isinf(means).all()
    assert not recwarn.list


def test_a_frame_too_small_for_the_metrics_is_named(tmp_path):
    write_pairs(tmp_path)
    for folder in ("rgb", "thermal"):
        path = str(tmp_path / folder / "b.png")
        assert cv2.imwrite(path, cv2.imread(path, cv2.IMREAD_UNCHANGED)[:40])
    frames = frames_of({"street": dataset(tmp_path)})
    with pytest.raises(ImageError, match=r"^b: expected at least 41 x 41 pixels for VIF, got .*quick scores smaller"):
        compare(inputs_alone(), frames)
    assert compare(inputs_alone(), frames, quick=True).values.shape == (2, 3, 4)


def test_one_name_for_two_methods(pairs):
    with pytest.raises(ConfigError, match="2 methods are named 'rgb alone': expected a name of its own for each"):
        compare([*inputs_alone(), inputs_alone()[0]], frames_of({"street": pairs}))
