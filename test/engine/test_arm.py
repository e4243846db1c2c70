"""ARM (Jetson, Raspberry Pi): what the C++ operators are built with there, and that the emulated ones are NEON.

The results of each operator are tested where this processor's are, in test_operators.py.
"""

from __future__ import annotations

import platform
import subprocess

import emulated_arm
import pytest
import torch
from network_differences import differences, images
from operands import every_operator
from reference import reference_network

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.build import target
from mrfs_ros.engine.rewritten import RewrittenMRFS
from mrfs_ros.errors import ConfigError


@pytest.mark.slow
def test_the_emulated_operators_are_for_arm_with_neon(emulated_caller):
    header = subprocess.run(["readelf", "-h", emulated_caller], capture_output=True, text=True, check=True).stdout
    assert "AArch64" in header
    with emulated_arm.emulated_operators(emulated_caller) as operators:
        assert operators.instructions == "NEON"


@pytest.mark.slow
def test_number_of_threads_changes_no_bit(emulated_caller):
    results = []
    for threads in (1, 3):
        with emulated_arm.emulated_operators(emulated_caller, threads) as operators:
            assert operators._library.threads == threads
            results.append(every_operator(operators))
    for name, expected in results[0].items():
        assert torch.equal(results[1][name], expected), name


@pytest.mark.slow
def test_the_whole_network_is_the_papers_graph(emulated_caller):
    network = reference_network(NetworkConfig(head_width=48))
    with emulated_arm.emulated_operators(emulated_caller, threads=2) as operators:
        result = differences(network, RewrittenMRFS(network, operators), *images(1, 65, 90))
    assert result.are_rounding, result


@pytest.mark.parametrize(
    "machine, setting, flags",
    [
        ("aarch64", "", ["-mcpu=native"]),  # clang for ARM does not know -march=native
        ("aarch64", "native", ["-mcpu=native"]),
        ("x86_64", "", ["-march=native"]),
        ("x86_64", "native", ["-march=native"]),
        ("x86_64", "avx2", ["-march=haswell"]),
    ],
)
def test_the_compiler_is_told_which_processor(monkeypatch, machine, setting, flags):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv("MRFS_OPERATORS", setting)
    assert target() == flags


@pytest.mark.parametrize(
    "machine, setting, expected", [("aarch64", "avx2", "native"), ("x86_64", "avx3", "native, avx2")]
)
def test_instructions_that_a_processor_does_not_have_are_refused(monkeypatch, machine, setting, expected):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv("MRFS_OPERATORS", setting)
    text = f"MRFS_OPERATORS={setting}: expected one of {expected} on this {machine} processor"
    with pytest.raises(ConfigError, match=f"^{text}$"):
        target()


def test_what_is_missing_to_emulate_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    text = emulated_arm.missing()
    assert "aarch64-linux-gnu-g++ and qemu-aarch64 missing: sudo apt install g++-aarch64-linux-gnu qemu-user" in text
