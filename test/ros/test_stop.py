"""Signals: by exception or by looking, never by rclpy's thread, whose wake-ups crashed one end in thirty."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from bags import pairs, write_bag
from harness import numbered_pair
from rosbags.highlevel import AnyReader

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def run(program: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_ends_what_is_being_done(number):
    ended = run(
        "import os, time\nfrom mrfs_ros.ros.stop import Stop\nstop = Stop()\n"
        f"try:\n    os.kill(os.getpid(), {int(number)})\n    time.sleep(30)\n"
        "except SystemExit as end:\n    print(end.code, stop.asked)\n"
    )
    assert ended.stdout == "0 True\n", ended.stderr


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("times, left", [(1, "imported\n0 True\n"), (2, "0 True\n")])
def test_an_import_is_done_before_a_signal_is_an_exception_unless_it_comes_again(tmp_path, number, times, left):
    """Native code that imports others ends the process by abort() for an exception, as PyTorch's does."""
    (tmp_path / "slow.py").write_text(
        f"import os, time\nfor _ in range({times}):\n    os.kill(os.getpid(), {int(number)})\n"
        "time.sleep(0.3)\nprint('imported')\n"
    )
    ended = run(
        f"import sys, time\nfrom mrfs_ros.ros.stop import Stop\nstop = Stop()\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "try:\n    import slow\n    time.sleep(30)\nexcept SystemExit as end:\n    print(end.code, stop.asked)\n"
    )
    assert ended.stdout == left, ended.stderr


@pytest.mark.parametrize("sent, left", [(True, "0\n"), (False, "of native code\n")])
def test_an_exception_by_which_native_code_answers_a_signal_is_none_of_its_own(sent, left):
    kill = f"os.kill(os.getpid(), {int(signal.SIGINT)})" if sent else "raise SystemExit"
    ended = run(
        "import os, time\nfrom mrfs_ros.ros.stop import Stop\nstop = Stop(patient=True)\n"
        "def native():\n    try:\n"
        f"        {kill}\n        time.sleep(30)\n"
        "    except SystemExit:\n        raise ValueError('of native code')\n"
        "try:\n    with stop.impatient():\n        native()\nexcept (SystemExit, ValueError) as end:\n    print(end)\n"
    )
    assert ended.stdout == left, ended.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_a_patient_program_looks_by_itself_unless_it_hangs_and_nothing_disturbs_the_end(number):
    ended = run(
        "import os\nfrom mrfs_ros.ros.stop import Stop\nstop = Stop(patient=True)\n"
        f"print(stop.asked)\nos.kill(os.getpid(), {int(number)})\nprint(stop.asked)\n"
        f"try:\n    os.kill(os.getpid(), {int(number)})\nexcept SystemExit as end:\n    print(end.code)\n"
        f"stop.ignore_more()\nos.kill(os.getpid(), {int(number)})\nprint('end')\n"
    )
    assert ended.stdout == "False\nTrue\n0\nend\n", ended.stderr


def test_rclpy_has_no_handlers_of_its_own():
    ended = run(
        "from rclpy.signals import SignalHandlerOptions, get_current_signal_handlers_options\n"
        "from mrfs_ros.ros import rclpy_init\nrclpy_init.init()\n"
        "print(get_current_signal_handlers_options() == SignalHandlerOptions.NO)\n"
    )
    assert ended.stdout == "True\n", ended.stderr


@pytest.mark.parametrize("number", NUMBERS)
def test_a_recording_that_is_interrupted_is_a_whole_bag(tmp_path, cameras, number):
    world = cameras()
    command = [sys.executable, "-m", "mrfs_ros.ros.record", str(tmp_path / "bag"), "/rgb/image", "/thermal/image"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout.readline() == "recording /rgb/image /thermal/image\n"
        world.spin_until(lambda: world.rgb_out.get_subscription_count() and world.thermal_out.get_subscription_count())
        world.await_node("mrfs_record")
        for stamp in range(10):
            world.send(stamp * 10**8, *numbered_pair(stamp))
            time.sleep(0.02)
        world.spin_for(0.5)
        recorder.send_signal(number)
        assert recorder.wait(10) == 0
        assert recorder.stdout.read() == "recorded 10 /rgb/image, 10 /thermal/image\n"
    with AnyReader([tmp_path / "bag"]) as bag:
        assert bag.message_count == 20 == sum(1 for _ in bag.messages())


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("waiting", ["--wait-for-subscribers=9", "--rate=0.01", "--answers=/nobody/answers"])
def test_a_player_can_be_interrupted_where_it_waits(tmp_path, cameras, number, waiting):
    world = cameras()
    bag = write_bag(tmp_path / "bag", pairs(3))
    command = [sys.executable, "-m", "mrfs_ros.ros.play", str(bag), waiting]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as player:
        world.spin_until(lambda: world.count_publishers("/rgb/image") == 2)  # the world's own is one
        world.spin_for(1.5)  # beyond the grace that it gives to subscribers
        player.send_signal(number)
        assert player.wait(10) == 130
        assert player.stderr.read() == ""


def test_a_recorder_that_waits_for_topics_can_be_interrupted(tmp_path):
    command = [sys.executable, "-m", "mrfs_ros.ros.record", str(tmp_path / "bag"), "/nobody/publishes/this"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as recorder:
        deadline = time.monotonic() + 60
        while not (tmp_path / "bag").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(10) == 0
        assert recorder.stdout.read() == "recorded 0 /nobody/publishes/this\n"
