"""Label groups: values against a plain restatement, what a file may leave out, one line for what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError
from mrfs_ros.label_groups import LabelGroups, read_label_groups
from mrfs_ros.types import FMB, MFNET, ClassSet, numbered_hues

ROAD = """groups:
  1: {name: vehicle, classes: [car, bike]}
  2: {name: person, classes: [person]}
"""


@pytest.fixture
def groups(tmp_path):
    def read(text: str, classes: ClassSet = MFNET) -> LabelGroups:
        (tmp_path / "road.yaml").write_text(text)
        return read_label_groups(tmp_path / "road.yaml", classes)

    return read


def test_classes_are_joined_and_what_is_in_no_group_is_background(groups):
    road = groups(ROAD)
    assert road.source is MFNET
    assert road.classes.names == ("background", "vehicle", "person")
    assert road.classes.colors == ((0, 0, 0), MFNET.colors[1], MFNET.colors[2])  # of each's first class
    assert road.classes.name == "MFNet by road.yaml"
    assert road.table[:9].tolist() == [0, 1, 2, 1, 0, 0, 0, 0, 0] and road.table[255] == 255
    assert road.table.shape == (256,) and road.table.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        road.table[0] = 1


def test_gaps_colours_and_a_background_that_is_said(groups):
    road = groups(
        "groups:\n  254: {name: sky, classes: [sky], color: [1, 2, 3]}\n  0: {name: background, classes: [pole]}\n"
        "  3: {name: nature, classes: [vegetation]}\n",
        FMB,
    )
    assert len(road.classes) == 255
    assert road.classes.names[:5] == ("background", "unused_1", "unused_2", "nature", "unused_4")
    assert road.classes.names[254] == "sky" and road.classes.colors[254] == (1, 2, 3)
    assert road.classes.colors[3] == FMB.colors[6] and road.classes.colors[4] == (0, 0, 0)
    assert {int(road.table[i]) for i in range(15)} == {0, 3, 254}
    assert groups("groups: {0: {name: background}, 1: {name: car, classes: [background]}}").table[0] == 1


@given(st.data())
def test_any_groups_are_what_they_say(tmp_path_factory, data):
    count = data.draw(st.integers(1, 40))
    classes = ClassSet("some", tuple(f"class {i}" for i in range(count)), numbered_hues(count))
    ids = data.draw(st.lists(st.integers(1, 254), min_size=1, max_size=6, unique=True))
    taken = {i: data.draw(st.sampled_from([0, *ids])) for i in range(count)}
    members = {number: [classes.names[i] for i, group in taken.items() if group == number] for number in ids}
    entries = {str(k): {"name": f"group {k}", "classes": names} for k, names in members.items() if names}
    if not entries:
        return
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text("groups: {" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in entries.items()) + "}")
    made = read_label_groups(path, classes)
    for i in range(256):
        assert made.table[i] == taken.get(i, 255)
        if i < count:
            assert made.classes.names[taken[i]] == (f"group {taken[i]}" if taken[i] else "background")
    assert len(made.classes) == max(map(int, entries)) + 1 and len(set(made.classes.names)) == len(made.classes)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "expected groups: {1: {name: vehicle, classes: [car, bike]}, ...}, got None"),
        ("[1, 2]", "expected groups: {1: {name: vehicle, classes: [car, bike]}, ...}, got [1, 2]"),
        ("groups: {}", "got {'groups': {}}"),
        ("group: {1: {name: a, classes: [car]}}", "got {'group': {1: {'name': 'a', 'classes': ['car']}}}"),
        ("groups: [car, bike]", "got {'groups': ['car', 'bike']}"),
        ("groups: {1: {name: a, classes: [car]}", "is no YAML: "),
        ("groups: {1: {name: a, classes: [car]}, 1: {name: b, classes: [bike]}}", "is no YAML: 1 stands there twice"),
        ("groups: {1: {name: a, name: b, classes: [car]}}", "is no YAML: name stands there twice"),
        ("groups: {vehicle: [car, bike]}", "expected an id of 1 to 254, got 'vehicle'"),
        ("groups: {'1': {name: a, classes: [car]}}", "expected an id of 1 to 254, got '1'"),
        ("groups: {true: {name: a, classes: [car]}}", "expected an id of 1 to 254, got True"),
        ("groups: {255: {name: a, classes: [car]}}", "expected an id of 1 to 254, got 255"),
        ("groups: {-1: {name: a, classes: [car]}}", "expected an id of 1 to 254, got -1"),
        ("groups: {1: [car, bike]}", "group 1: expected name, classes, color, got ['car', 'bike']"),
        ("groups: {1: {classes: [car]}}", "group 1: expected name, classes, color, got {'classes': ['car']}"),
        ("groups: {1: {name: a, class: [car]}}", "group 1: expected name, classes, color, got"),
        ("groups: {1: {name: yes, classes: [car]}}", "group 1: expected a text as name, got True"),
        ("groups: {1: {name: ' ', classes: [car]}}", "group 1: expected a text as name, got ' '"),
        ('groups: {1: {name: "a\\nb", classes: [car]}}', "group 1: expected a text as name, got 'a\\nb'"),
        ("groups: {0: {name: road, classes: [car]}}", "group 0: road: id 0 is background, and no other id is"),
        ("groups: {2: {name: background, classes: [car]}}", "group 2: background: id 0 is background, and no other"),
        ("groups: {1: {name: a, classes: car}}", "group 1 (a): classes: expected a list of names, got 'car'"),
        ("groups: {1: {name: a, classes: [1, 3]}}", "group 1 (a): classes: expected a list of names, got [1, 3]"),
        ("groups: {1: {name: a, classes: []}}", "group 1 (a) names no class: expected classes: [NAME, ...]"),
        ("groups: {1: {name: a}}", "group 1 (a) names no class: expected classes: [NAME, ...]"),
        (
            "groups: {1: {name: a, classes: [car, bikes]}}",
            "group 1 (a): 'bikes' is no class of MFNet: did you mean bike?",
        ),
        (
            "groups: {1: {name: a, classes: [xyz]}}",
            "group 1 (a): 'xyz' is no class of MFNet: did you mean background, car, person, bike, curve, car_stop, "
            "guardrail, color_cone, bump?",
        ),
        (
            "groups: {1: {name: a, classes: [car]}, 2: {name: b, classes: [bike, car]}}",
            "class car is named twice, in a and b: expected once",
        ),
        ("groups: {1: {name: a, classes: [car, car]}}", "class car is named twice, in a and a: expected once"),
        (
            "groups: {1: {name: a, classes: [car]}, 2: {name: a, classes: [bike]}}",
            "two groups are called a: expected a name of its own for each",
        ),
        (
            "groups: {1: {name: unused_2, classes: [car]}, 3: {name: a, classes: [bike]}}",
            "two groups are called unused_2",
        ),
        (
            "groups: {1: {name: a, classes: [car], color: red}}",
            "color: expected [red, green, blue] of 0-255, got 'red'",
        ),
        ("groups: {1: {name: a, classes: [car], color: [1, 2]}}", "of 0-255, got [1, 2]"),
        ("groups: {1: {name: a, classes: [car], color: [1, 2, 256]}}", "of 0-255, got [1, 2, 256]"),
        ("groups: {1: {name: a, classes: [car], color: [1, 2, true]}}", "of 0-255, got [1, 2, True]"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(groups, tmp_path, text, problem):
    with pytest.raises(ConfigError) as error:
        groups(text)
    told = str(error.value)
    assert problem in told and told.startswith(f"label_groups: {tmp_path}/road.yaml: ") and "\n" not in told


def test_files_that_cannot_be_read(tmp_path):
    for path, problem in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(
            ConfigError, match=f"label_groups: .*{path.name}: cannot be read .{problem}.*: expected a YAML"
        ):
            read_label_groups(path, MFNET)
    (tmp_path / "latin.yaml").write_bytes(b"groups: {1: {name: stra\xdfe, classes: [car]}}")
    with pytest.raises(ConfigError, match="is no YAML"):
        read_label_groups(tmp_path / "latin.yaml", MFNET)


def test_the_home_folder_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "road.yaml").write_text(ROAD)
    assert len(read_label_groups(Path("~/road.yaml"), MFNET).classes) == 3
