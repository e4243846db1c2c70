"""Real DDS between two processes: the node in one, a test's cameras and listeners in this one."""

from __future__ import annotations

import array
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from stub_engine import StubEngine

from mrfs_ros.engine import Engine
from mrfs_ros.ros.engine_startup import WARM_UP_FRAMES
from mrfs_ros.ros.node import MrfsNode

HERE = Path(__file__).resolve().parent
RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
START_S, ANSWER_S, END_S = 60.0, 120.0, 10.0


class NodeProcess:
    """mrfs_node (or, with ``stub``, the same node around a stub engine) as a process of its own."""

    def __init__(self, tmp_path: Path, *, stub: list[str] | None = None, ros: list[str] | None = None, **parameters):
        words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={_yaml(value)}")]
        program = ["-m", "mrfs_ros.ros.node_program"] if stub is None else [str(HERE / "stub_node.py"), *stub]
        self._log = tmp_path / f"node_{time.monotonic_ns()}.log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, "--ros-args", *words, *(ros or [])], stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> NodeProcess:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            print(f"--- log of the node\n{self.log()}")
        self.process.terminate()  # killed processes leave their shared memory behind
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, timeout_s: float = START_S) -> NodeProcess:
        """Return when ``text`` stands in the log."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log():
            assert self.process.poll() is None, f"the node ended with {self.process.returncode}: {self.log()}"
            assert time.monotonic() < deadline, f"{text!r} is not in the log after {timeout_s} s: {self.log()}"
            time.sleep(0.02)
        return self

    def wait_until_loaded(self, package: str) -> None:
        """Return when a library of ``package`` is in the process's memory."""
        deadline = time.monotonic() + START_S
        while f"/{package}/" not in Path(f"/proc/{self.process.pid}/maps").read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.005)

    def ready(self) -> NodeProcess:
        return self.wait_for(": ready in ")

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds until the end."""
        begin = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(END_S), time.monotonic() - begin

    def status_kb(self, name: str) -> int:
        """A memory figure of the process, such as VmRSS [kB]."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1])

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))


class LiveNode:
    """The node around a stub engine in a thread of this process: ready in a moment, open to look into.

    ``engine``: another one; ``more``: of a rclpy Node; ``parameters``: the node's own.
    """

    def __init__(self, *, engine: Engine | None = None, more: dict | None = None, **parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.engine = engine or StubEngine(warm_up=WARM_UP_FRAMES)
        self.node = MrfsNode(self.engine, parameter_overrides=overrides, **(more or {}))
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._spinning = threading.Thread(target=self._executor.spin, daemon=True)
        self._spinning.start()

    def set(self, **parameters) -> SetParametersResult:
        """Set parameters in the node's thread, all or none, as a service call does."""
        done, answers = threading.Event(), []

        def change() -> None:
            values = [Parameter(name, value=value) for name, value in parameters.items()]
            answers.append(self.node.set_parameters_atomically(values))
            done.set()

        self._executor.create_task(change)
        assert done.wait(10)
        return answers[0]

    def end(self) -> None:
        self._executor.shutdown()
        self._spinning.join(END_S)
        self.node.close()
        self.node.destroy_node()


class Cameras(Node):
    """Publishes rgb and thermal images, keeps the node's answers by stamp and its latest diagnostics by name."""

    def __init__(
        self,
        *,
        namespace: str = "",
        qos: QoSProfile = RELIABLE,
        outputs: tuple[str, ...] = (),
        always: tuple[str, ...] = ("fused", "segmentation"),
    ):
        super().__init__("cameras", namespace=namespace)
        self.rgb_out = self.create_publisher(Image, "rgb/image", qos)
        self.thermal_out = self.create_publisher(Image, "thermal/image", qos)
        self.answers: dict[str, dict[int, Image]] = defaultdict(dict)
        self.received: dict[str, list[tuple[int, float]]] = defaultdict(list)  # (stamp, when), repeats included
        self.diagnostics: dict[str, object] = {}
        self._outputs = *always, *outputs
        for name in self._outputs:
            self.listen(name)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._keep_diagnostics, RELIABLE)

    def listen(self, name: str) -> Subscription:
        """Subscribe to an output that is an image."""
        return self.create_subscription(Image, f"mrfs/{name}", partial(self._keep, name), RELIABLE)

    def _keep(self, name: str, message: Image) -> None:
        self.answers[name][stamp_of(message)] = message
        self.received[name].append((stamp_of(message), time.monotonic()))

    def _keep_diagnostics(self, message: DiagnosticArray) -> None:
        self.diagnostics.update({status.name: status for status in message.status})

    def matched(self, *publishers: Publisher, listeners: bool = True) -> Cameras:
        """Return when the node hears ``publishers`` (none given: both cameras) and, with ``listeners``, is heard."""
        publishers = publishers or (self.rgb_out, self.thermal_out)
        self.spin_until(
            lambda: (
                all(publisher.get_subscription_count() for publisher in publishers)
                and (not listeners or self.count_publishers(f"{self.get_namespace().rstrip('/')}/mrfs/fused"))
            )
        )
        self.await_node()
        self.spin_for(0.2)
        return self

    def await_node(self, name: str = "mrfs") -> None:
        """Return when the node ``name`` knows this node's publishers and clients: what is sent before can be lost.

        It learns of this node's topics in the order in which they were opened, so that it knows them when it answers a
        client that was opened later. After many nodes in one process that can take seconds.
        """
        client = self.create_client(GetParameters, f"{name}/get_parameters")
        deadline = time.monotonic() + START_S
        answers = []
        while not any(answer.done() for answer in answers):
            assert time.monotonic() < deadline, "the node does not answer"
            if client.service_is_ready():
                answers.append(client.call_async(GetParameters.Request(names=["use_sim_time"])))
            again = time.monotonic() + 0.5
            while time.monotonic() < again and not any(answer.done() for answer in answers):
                rclpy.spin_once(self, timeout_sec=0.05)
        self.destroy_client(client)

    def ask(self, kind: type, name: str, request: Any) -> Any:
        """The answer of the node's service ``name``."""
        client = self.create_client(kind, f"mrfs/{name}")
        self.spin_until(client.service_is_ready, ANSWER_S)
        self.await_node()
        future = client.call_async(request)
        self.spin_until(future.done, ANSWER_S)
        self.destroy_client(client)
        return future.result()

    def change_parameters(self, **values: Any) -> list[SetParametersResult]:
        """Set parameters of the node by its service."""
        parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        return self.ask(SetParameters, "set_parameters", SetParameters.Request(parameters=parameters)).results

    def spin_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            rclpy.spin_once(self, timeout_sec=left)

    def spin_until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, (
                f"not within {timeout_s} s; answers: { {k: len(v) for k, v in self.answers.items()} }"
            )
            rclpy.spin_once(self, timeout_sec=0.05)

    def await_answer(self, stamp_ns: int) -> None:
        """Return when every output that this node listens to has come for ``stamp_ns``."""
        self.spin_until(lambda: all(stamp_ns in self.answers[name] for name in self._outputs))

    def send(self, stamp_ns: int, rgb: np.ndarray | None, thermal: np.ndarray | None, gap_ns: int = 3_000_000) -> None:
        """Publish a pair (or one image of it); thermal is stamped ``gap_ns`` later."""
        if rgb is not None:
            self.rgb_out.publish(image(rgb, "rgb8", stamp_ns, "rgb_frame"))
        if thermal is not None:
            self.thermal_out.publish(image(thermal, "mono8", stamp_ns + gap_ns, "thermal_frame"))

    def value(self, status: str, key: str) -> str:
        """A value of the latest diagnostics; empty if there is none."""
        found = self.diagnostics.get(status)
        return next((pair.value for pair in found.values if pair.key == key), "") if found else ""


def image(pixels: np.ndarray, encoding: str, stamp_ns: int, frame: str = "", **fields) -> Image:
    """An image message of ``pixels``; ``fields`` override what follows from them, rightly or wrongly."""
    message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = int(pixels.nbytes // pixels.shape[0]) if pixels.shape[0] else 0
    message.data = array.array("B", pixels.tobytes())
    message.header.frame_id = frame
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp_ns, 10**9)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def pixels_of(message: Image) -> np.ndarray:
    shape = (message.height, message.width, 3) if message.encoding == "rgb8" else (message.height, message.width)
    return np.frombuffer(message.data, np.uint8).reshape(shape)


def stamp_of(message: Image) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def numbered_pair(number: int, height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """An rgb and a thermal image that tell their number."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 256, (height, width, 3), np.uint8), rng.integers(0, 256, (height, width), np.uint8)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)
