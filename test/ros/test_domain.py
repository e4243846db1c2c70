"""Domains of one's own: no two of them are one, and the demo takes its by the same lock."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import demo
import pytest

from mrfs_ros.errors import MrfsError
from mrfs_ros.ros import domain

TAKES_ONE = "from mrfs_ros.ros.domain import own_domain\nprint(own_domain()[0], flush=True)\ninput()"


@pytest.fixture
def two_domains(tmp_path, monkeypatch):
    """Locks in a folder of their own, and two domains in all; what the test takes is given back."""
    taken = []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(domain, "HIGHEST", 2)
    real = domain.own_domain
    monkeypatch.setattr(domain, "own_domain", lambda: taken.append(real()) or taken[-1])
    monkeypatch.setattr(demo, "own_domain", domain.own_domain)
    yield taken
    for _, lock in taken:
        os.close(lock)


def test_no_two_get_one_domain_and_what_is_free_again_is_given_again(two_domains):
    (first, _), (second, _) = domain.own_domain(), domain.own_domain()
    assert {first, second} == {1, 2}
    with pytest.raises(MrfsError, match="all ROS domains are in use"):
        domain.own_domain()
    os.close(two_domains.pop()[1])
    assert domain.own_domain()[0] == second


def test_another_process_holds_its_domain_until_it_ends(two_domains, tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", TAKES_ONE.replace("\n", "\nimport mrfs_ros.ros.domain as d; d.HIGHEST = 2\n", 1)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        theirs = int(other.stdout.readline())
        assert domain.own_domain()[0] == 3 - theirs
        other.communicate("\n")
    assert domain.own_domain()[0] == theirs


def test_the_demo_takes_a_domain_that_nobody_has(two_domains, monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID")
    first, second = demo.environment()["ROS_DOMAIN_ID"], demo.environment()["ROS_DOMAIN_ID"]
    assert {first, second} == {"1", "2"}
    with pytest.raises(MrfsError, match="set ROS_DOMAIN_ID"):
        demo.environment()
    monkeypatch.setenv("ROS_DOMAIN_ID", "77")
    assert demo.environment()["ROS_DOMAIN_ID"] == "77"
