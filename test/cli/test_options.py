"""Options of the command line: one meaning a name, and the values of the dataclasses."""

from __future__ import annotations

import argparse
from collections import defaultdict

import pytest

from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli.main import main, parser
from mrfs_ros.cli.options import add_options, given, option_name
from mrfs_ros.cli.params_file import node_config
from mrfs_ros.config import NodeConfig

OF_EACH_COMMAND = {"--help", "--out"}  # --out: what the command makes, a file, a folder or a bag


def meanings(top: argparse.ArgumentParser) -> dict[str, set[str]]:
    """Option -> its help texts in all commands of ``top``."""
    (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    found = defaultdict(set)
    for command in commands.choices.values():
        for action in command._actions:
            for name in action.option_strings:
                found[name].add(action.help)
    return found


def two_meanings(top: argparse.ArgumentParser) -> set[str]:
    return {name for name, texts in meanings(top).items() if len(texts) > 1} - OF_EACH_COMMAND


def test_an_option_means_the_same_in_every_command():
    assert {"--weights", "--start", "--every", "--pairs", "--sheet"} <= set(meanings(parser()))
    assert two_meanings(parser()) == set()


def test_two_meanings_of_a_name_are_found():
    top = parser()
    (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    commands.choices["info"].add_argument("--start", help="where to begin")
    assert two_meanings(top) == {"--start"}


@pytest.mark.parametrize(
    "field, option",
    [("slop_s", "--slop"), ("thermal_topic", "--thermal-topic"), ("start_s", "--start"), ("weights", "--weights")],
)
def test_names_of_options_are_those_of_the_fields(field, option):
    assert option_name(field) == option


def test_defaults_choices_and_texts_are_those_of_the_dataclasses():
    command = argparse.ArgumentParser()
    add_options(command, "--backend", "--slop", "--every", "--overlay")
    parsed = command.parse_args([])
    assert parsed.backend == NodeConfig().backend
    assert parsed.slop_s == NodeConfig().slop_s
    assert given(BagSettings, parsed) == {"every": 1, "overlay": False}
    assert "Stamps of a pair differ by less than this [s]" in command.format_help()
    with pytest.raises(SystemExit):
        command.parse_args(["--backend", "abacus"])


def test_options_stand_in_place_of_the_params_file(tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text("/**: {ros__parameters: {slop_s: 0.1, weights: untrained, max_image_pixels: 5000}}")
    command = ["bag", "drive", "--csv", "t.csv", "--params-file", str(path)]
    plain = node_config(parser().parse_args(command))
    assert (plain.slop_s, plain.weights, plain.max_image_pixels) == (0.1, "untrained", 5000)
    own = node_config(parser().parse_args([*command, "--slop", "0.2", "--weights", "a.pth"]))
    assert (own.slop_s, own.weights, own.max_image_pixels) == (0.2, "a.pth", 5000)
    calibrate = ["calibrate", "--bag", "drive", "--out", "c.yaml", "--params-file", str(path)]
    assert node_config(parser().parse_args(calibrate)).max_image_pixels == 5000


def test_a_value_out_of_range_is_one_line(capsys):
    assert main(["bag", "drive", "--csv", "t.csv", "--slop", "99"]) == 2
    assert capsys.readouterr().err == "mrfs: error: slop_s: expected 0.0001 to 10.0, got 99.0\n"
