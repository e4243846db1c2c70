"""The node's params file read for a bag: which sections are for the node, and what is said of the others."""

from __future__ import annotations

import pytest

from mrfs_ros.bag.yaml_parameters import applies, read_parameters, unused_sections
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError


@pytest.mark.parametrize(
    "section, root, front",
    [  # as rcl takes them, tried with rclpy 9.1
        ("/**", True, True),
        ("/*", True, False),
        ("/*/mrfs", False, True),
        ("/**/mrfs", True, True),
        ("mrfs", True, False),
        ("/mrfs", True, False),
        ("/front/mrfs", False, True),
        ("front/mrfs", False, True),
        ("mrfs_node", False, False),
        ("/mrfs/camera", False, False),
        ("m.fs", False, False),
    ],
)
def test_names_of_sections(section, root, front):
    assert (applies(section, "/mrfs"), applies(section, "/front/mrfs")) == (root, front)


def section(name: str, **values) -> str:
    lines = [f"  {part}:" for part in ("ros__parameters",)]
    return "\n".join([f"{name}:", *lines, *(f"    {key}: {value}" for key, value in values.items())]) + "\n"


@pytest.mark.parametrize("name", ["/**", "/*", "mrfs", "/mrfs", "/**/mrfs", "'/**'"])
def test_sections_for_the_node_are_read(tmp_path, name):
    file = tmp_path / "p.yaml"
    file.write_text(section(name, slop_s=0.01) + section("camera", exposure=3))
    assert read_parameters(file) == NodeConfig(slop_s=0.01)
    assert unused_sections(file) == ""


def test_the_order_of_the_file_decides(tmp_path):
    (tmp_path / "p.yaml").write_text(section("mrfs", slop_s=0.01, qos_depth=7) + section("/**", slop_s=0.02))
    assert read_parameters(tmp_path / "p.yaml") == NodeConfig(slop_s=0.02, qos_depth=7)


def test_namespaces_may_be_levels(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("front:\n  mrfs:\n    ros__parameters:\n      slop_s: 0.01\n")
    assert read_parameters(file, "/front/mrfs") == NodeConfig(slop_s=0.01)
    with pytest.raises(ConfigError, match="nothing of front/mrfs is taken: the node's name is /mrfs"):
        read_parameters(file)


@pytest.mark.parametrize("name", ["mrfs_node", "/front/mrfs", "/*/mrfs", "mrfs_ros"])
def test_a_file_of_which_nothing_applies_is_refused(tmp_path, name):
    file = tmp_path / "p.yaml"
    file.write_text(section(name, slop_s=0.01) + section("camera", exposure=3))
    expected = f"{file}: nothing of {name}, camera is taken: the node's name is /mrfs, so its section must be called "
    expected += "mrfs or /**"
    with pytest.raises(ConfigError) as error:
        read_parameters(file)
    assert str(error.value) == unused_sections(file) == expected


def test_a_section_with_our_parameters_under_another_name_is_told(tmp_path):
    """Where /** holds but use_sim_time, the settings themselves would vanish."""
    file = tmp_path / "p.yaml"
    file.write_text(section("/**", use_sim_time="true") + section("mrfs_node", slop_s=0.01) + section("cam", gain=1))
    assert read_parameters(file) == NodeConfig()
    assert "nothing of mrfs_node is taken" in unused_sections(file)


@pytest.mark.parametrize(
    "text, problem",
    [
        ("mrfs:\n  slop_s: 0.01\n", "mrfs: slop_s stands outside of ros__parameters"),
        ("slop_s: 0.01\n", "is no ROS 2 params file .*: slop_s holds 0.01: expected lines 'name: value'"),
        ("", "is no ROS 2 params file .*: the file is empty"),
        ("[a, b]", r"the file holds \['a', 'b'\]"),
        ("mrfs:\n  ros__parameters: 3\n", "mrfs: ros__parameters holds 3"),
        ("{}", "it has no section of parameters"),
        ("mrfs:\n", "it has no section of parameters"),
    ],
)
def test_files_without_sections(tmp_path, text, problem):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_parameters(tmp_path / "p.yaml")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"p.yaml: cannot be read \(No such file or directory\)"):
        read_parameters(tmp_path / "p.yaml")


@pytest.mark.parametrize(
    "text, problem",
    [
        (section("mrfs", slop_s="'0.03'"), "slop_s: expected float, got str '0.03'"),
        (section("mrfs", slopp=1), "unknown setting slopp"),
        (section("mrfs", slop_s=-1), "slop_s: expected 0.0001 to 10.0"),
        (section("mrfs", slop_s=0.01) + "    slop_s: 0.02\n", "slop_s stands there twice, in line 4 again: leave one"),
        (section("/**", slop_s=0.01) + section("/**", qos_depth=3), r"/\*\* stands there twice, in line 4 again"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path, text, problem):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(ConfigError, match=f"p.yaml: .*{problem}"):
        read_parameters(tmp_path / "p.yaml")


def test_a_number_with_an_exponent(tmp_path):
    """rcl reads it as a number; PyYAML alone takes it for a text."""
    (tmp_path / "p.yaml").write_text(section("mrfs", slop_s="3e-2"))
    assert read_parameters(tmp_path / "p.yaml") == NodeConfig(slop_s=0.03)
