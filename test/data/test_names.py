"""Partners by file name: the same, or what is common; a wrong partner never comes of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.names import NamePattern, Partners, camera_patterns, partners
from mrfs_ros.errors import ConfigError, ImageError

OPTIONS = "--rgb-name, --thermal-name"


def found(names, others, pattern="", other_pattern="") -> Partners:
    return partners(names, others, pattern, other_pattern, options=OPTIONS)


def pairs(*arguments) -> dict[str, str]:
    return {name: other for name, (_, other) in found(*arguments).of.items()}


def test_the_same_names():
    got = found(["a", "b", "c"], ["b", "c", "d"])
    assert got == Partners({"b": ("b", "b"), "c": ("c", "c")}, "")


@pytest.mark.parametrize(
    "names, others, rule",
    [
        (["0001_rgb", "0002_rgb"], ["0001_ir", "0002_ir"], "{}_rgb and {}_ir"),
        (["FLIR_00_RGB", "FLIR_01_RGB"], ["FLIR_00_PreviewData", "FLIR_01_PreviewData"], "{}_RGB and {}_PreviewData"),
        (["FLIR_1_RGB", "FLIR_2_RGB"], ["FLIR_1", "FLIR_2"], "{}_RGB and {}"),
        (["FLIR_1"], ["FLIR_1_RGB"], "{} and {}_RGB"),
        (["rgb_1", "rgb_2"], ["thermal_1", "thermal_2"], "rgb_{} and thermal_{}"),
        (["visible-07"], ["infrared-07"], "visible-{} and infrared-{}"),
        (["img1RGB", "img2RGB"], ["img1IR", "img2IR"], "{}RGB and {}IR"),
        (["A_rgb", "B_rgb"], ["A_mask", "B_mask"], "{}_rgb and {}_mask"),
        (["seq1_rgb_0001", "seq1_rgb_0002"], ["seq1_ir_0001", "seq1_ir_0002"], "seq1_rgb_{} and seq1_ir_{}"),
        (["cam1_a_left", "cam1_b_left"], ["cam1_a_right", "cam1_b_right"], "{}_left and {}_right"),
        (["DJI_0001_W", "DJI_0002_W"], ["DJI_0001_T", "DJI_0002_T"], "{}_W and {}_T"),
        (["bär_rgb", "tür_rgb"], ["bär_ir", "tür_ir"], "{}_rgb and {}_ir"),
        (["1_RGB", "2_RGB"], ["1_rgb_mask", "2_rgb_mask"], "{} and {}_mask"),
    ],
)  # fmt: skip
def test_a_prefix_or_suffix_that_differs(names, others, rule):
    got = found(names, others)
    assert [other for _, other in got.of.values()] == others
    assert list(got.of) == names
    assert got.rule == rule
    assert {name: other for other, name in pairs(others, names).items()} == pairs(names, others)


def test_the_name_of_a_pair_is_what_is_common():
    assert found(["FLIR_00007_RGB"], ["FLIR_00007_PreviewData"]).of["FLIR_00007_RGB"][0] == "FLIR_00007"
    assert found(["rgb_1"], ["thermal_1"]).of["rgb_1"][0] == "1"
    assert found(["IMG_A_RGB"], ["img_a_ir"]).of["IMG_A_RGB"][0] == "IMG_A"


def test_names_that_differ_in_case():
    got = found(["IMG_1", "IMG_2"], ["img_1", "img_2"])
    assert got == Partners(
        {"IMG_1": ("IMG_1", "img_1"), "IMG_2": ("IMG_2", "img_2")}, "their names, whose case differs"
    )
    assert pairs(["A_RGB", "b_rgb"], ["a_ir", "B_IR"]) == {"A_RGB": "a_ir", "b_rgb": "B_IR"}
    with pytest.raises(ImageError, match="a and A differ in case alone: rename one, or say which by --rgb-name"):
        found(["a", "A"], ["b"])


@pytest.mark.parametrize(
    "names, others, rule",
    [
        (["0001", "0010"], ["000001", "000010"], "their names"),
        (["frame_1", "frame_10"], ["frame_0001", "frame_0010"], "their names"),
        (["rgb_0000", "rgb_0001"], ["ir_0", "ir_1"], "rgb_{} and ir_{}"),
        (["IMG_01"], ["img_001"], "their names, whose case differs"),
    ],
)
def test_numbers_with_other_zeros_before_them(names, others, rule):
    got = found(names, others)
    assert [other for _, other in got.of.values()] == others
    assert list(got.of) == names
    assert got.rule == f"{rule}, without the zeros before numbers"


@pytest.mark.parametrize(
    "names, others",
    [
        (["1700000000.05"], ["1700000000.5"]),  # fractions of a second
        (["1", "01"], ["001", "2"]),  # one of them is another frame's
        (["1", "2"], ["010", "020"]),
    ],
)
def test_zeros_that_make_another_number(names, others):
    assert found(names, others) == Partners({})


def test_files_without_a_partner_are_left_out():
    assert pairs(["1_rgb", "2_rgb", "3_rgb"], ["1_ir", "3_ir", "4_ir"]) == {"1_rgb": "1_ir", "3_rgb": "3_ir"}


@pytest.mark.parametrize(
    "names, others",
    [
        (["a"], ["b"]),
        (["1_rgb", "2_rgb"], ["3_ir", "4_ir"]),
        (["FLIR_1_RGB"], ["FLIR_2_IR"]),  # the only words that agree are the camera's
        (["2024_01", "2024_02"], ["2025_01", "2025_02"]),  # years, drives, cameras? numbers are not told apart
        (["cam0_001", "cam0_002"], ["cam1_001", "cam1_002"]),
        (["car_rgb", "bar_rgb"], ["cat_ir", "bat_ir"]),  # words are whole
        (["FLIR_00000_RGB", "FLIR_00001_RGB"], ["FLIR_00010_IR", "FLIR_00011_IR"]),  # so are numbers
        (["day_1_rgb", "day_2_rgb"], ["night_1_ir", "night_2_ir"]),  # both ends differ
        (["1_rgb"], ["1_ir_high", "1_ir_low"]),
        (["1_rgb", "notes"], ["1_ir", "2_ir"]),
        ([f"{i}_rgb" for i in range(9)], [f"{i}_ir" for i in range(8, 17)]),  # one of nine is no rule
        ([], ["a"]),
        (["a"], []),
        (["_rgb"], ["_ir"]),
    ],
)
def test_what_is_not_clear_has_no_partners(names, others):
    assert found(names, others) == Partners({})


def test_what_can_be_understood_in_two_ways_is_an_error():
    with pytest.raises(ImageError) as error:
        found(["day_rgb"], ["day", "rgb"])
    assert str(error.value) == (
        "day_rgb could belong to rgb or to day: say how names differ by --rgb-name, --thermal-name, such as '{}_rgb'"
    )


def test_own_patterns():
    names, others = ["cam0_1_x", "cam0_2_x", "notes"], ["1_t", "2_t", "cam1"]
    assert pairs(names, others, "cam0_{}_x", "{}_t") == {"cam0_1_x": "1_t", "cam0_2_x": "2_t"}
    assert found(names, others, "cam0_{}_x", "{}_t").rule == "cam0_{}_x and {}_t"
    assert pairs(["1_rgb", "2_rgb"], ["1", "2_rgb"], "{}_rgb") == {"1_rgb": "1"}  # in place of looking
    assert pairs(["1", "2"], ["1_ir", "2"], "", "{}_ir") == {"1": "1_ir"}
    assert found(["IMG_1_RGB"], ["1"], "IMG_{}_RGB").of == {"IMG_1_RGB": ("1", "1")}
    assert pairs(["a_rgb"], ["b_ir"], "{}_rgb", "{}_ir") == {}
    assert pairs(["_rgb"], ["_ir"], "{}_rgb", "{}_ir") == {}


@pytest.mark.parametrize(
    "names, patterns",
    [
        (["A_rgb", "A_ir", "B_rgb", "B_ir", "B_mask"], ("{}_rgb", "{}_ir")),
        (["1-Visible", "1-LWIR"], ("{}-Visible", "{}-LWIR")),
        (["rgb_1", "rgb_2", "thermal_1"], ("rgb_{}", "thermal_{}")),
        (["img1RGB", "img1IR"], ("{}RGB", "{}IR")),
        (["1", "2"], None),
        (["1_rgb", "2_rgb"], None),
        (["1_rgb", "1_RGB", "1_ir"], None),  # two ways to write one camera
        (["1_rgb", "1_ir", "1_lwir"], None),
        (["rgb", "ir"], None),
    ],
)
def test_cameras_of_one_folder(names, patterns):
    assert camera_patterns(names) == patterns


@pytest.mark.parametrize("text", ["rgb", "{}{}", "{}/x", "{"])
def test_bad_patterns(text):
    with pytest.raises(ConfigError, match=r"--rgb-name.*: expected a file name with \{\} for what is common"):
        found(["a"], ["b"], text)


def test_a_pattern_whose_ends_overlap():
    assert NamePattern("ab", "bc").common("abc") is None
    assert NamePattern("ab", "bc").common("abXbc") == "X"


WORDS = st.text("abcXYZ", min_size=1, max_size=4)
AFFIXES = st.tuples(WORDS, st.sampled_from("_-. ")).map("".join)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=8, unique=True), AFFIXES, AFFIXES, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_frame_never_gets_another_frames_partner(numbers, first, second, in_front, data):
    """Whatever prefix or suffix two cameras give their numbered frames, and whichever frames are missing."""
    others = data.draw(st.lists(st.sampled_from(numbers) | st.integers(0, 999), min_size=1, max_size=8, unique=True))

    def names(frames: list[int], affix: str) -> list[str]:
        return [f"{affix}{n:04}" if in_front else f"{n:04}{affix[::-1]}" for n in frames]

    got = pairs(names(numbers, first), names(others, second))
    wanted = dict(zip(names(numbers, first), names(numbers, second)))
    assert all(wanted[name] == other for name, other in got.items())
    common = set(numbers) & set(others)
    clear = 2 * len(common) >= min(len(numbers), len(others)) and first.lower() != second.lower()
    if clear and first[-1] == second[-1] and first[:-1].islower() and second[:-1].islower():
        assert len(got) == len(common)
