"""Bags over a Ray cluster: processes that each keep one engine, and whatever happens when one of them dies."""

from __future__ import annotations

import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mrfs_ros import __version__
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.errors import ConfigError, MrfsError, needs_package
from mrfs_ros.fleet.task import Outcome, Task, abandoned, run_task

LOOK_S = 10.0  # how often the cluster is asked whether there is room for more engines
CONNECT_S = 5.0
STORE_BYTES = 80 * 2**20  # of a cluster begun here: only settings and summaries pass through Ray


class EngineWorker:
    """What runs in a process on the cluster: one engine, one bag at a time."""

    def load(self, settings: BagSettings, threads: int, version: str) -> tuple[str, str]:
        """Get ready; return on which host, and the engine. ``threads``: of torch, 0 = its own choice."""
        host = socket.gethostname()
        if version != __version__:
            raise MrfsError(f"{host} has mrfs_ros {__version__}, this machine {version}: install the same on both")
        from mrfs_ros.engine.configured_engine import configured_engine
        from mrfs_ros.engine.threads import use_threads

        if threads:
            use_threads(threads)
        self.engine = configured_engine(settings.node)
        return host, str(self.engine.info)

    def run(self, task: Task) -> Outcome:
        return run_task(task, self.engine)


def on_ray(
    tasks: Sequence[Task], address: str, cores: int, retries: int, say: Callable[[str], None]
) -> Iterator[Outcome]:
    """Run the bags on a Ray cluster: how each ended, as they end.

    ``address``: auto, local, or a cluster's; ``cores`` of each engine where there are no GPUs. A bag whose worker
    dies is tried ``retries`` more times. MissingPackageError without Ray; ConfigError if the cluster cannot be
    reached or has no room for an engine; the engine's own errors if it cannot be loaded.
    """
    with _connected(address) as ray:
        try:
            yield from Pool(ray, tasks, cores, retries, say).outcomes()
        except ray.exceptions.RayError as error:
            raise MrfsError(f"the Ray cluster failed ({_first_line(error)}): the same command goes on") from error


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Ray, connected; a connection that this process has already is used and left as it is."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody
    with needs_package("--ray", "Ray", "fleet"):
        import ray
    if ray.is_initialized():
        yield ray
        return
    _check_reachable(address)
    own = {"include_dashboard": False, "object_store_memory": STORE_BYTES} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **own)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--ray {address}: {error} (expected auto for the cluster of this machine, local to begin one here, "
            "host:port or ray://host:port; where the cluster wants a token, RAY_AUTH_MODE=token)"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """ConfigError if nobody listens at host:port: Ray itself would go on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--ray {address}: nobody answers there ({error})") from error


@dataclass
class _Busy:
    """A worker and the bag that it runs; None while it loads its engine."""

    actor: Any
    task: Task | None = None


class Pool:
    """As many workers as the cluster has room for, which take the next bag whenever they are free."""

    def __init__(self, ray: Any, tasks: Sequence[Task], cores: int, retries: int, say: Callable[[str], None]):
        self._ray, self._cores, self._retries, self._say = ray, cores, retries, say
        self._waiting, self._tries, self._failed_starts = deque(tasks), Counter(), 0
        self._busy: dict[Any, _Busy] = {}
        self._told: set[str] = set()
        device = tasks[0].settings.node.device
        if device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"device {device}: with --ray each engine gets a GPU of its own: use auto, cpu or cuda")
        self._gpu = device != "cpu" and self._room("GPU", 1) > 0
        if device == "cuda" and not self._gpu:
            raise ConfigError("device cuda: this Ray cluster has no GPU: use auto or cpu")
        if not self._capacity():
            raise ConfigError(f"no machine of this Ray cluster has {cores} cores: use a smaller --cores-per-engine")

    def outcomes(self) -> Iterator[Outcome]:
        """Run everything; each bag comes exactly once."""
        try:
            while self._waiting or any(busy.task for busy in self._busy.values()):
                self._fill()
                if not self._busy:
                    raise MrfsError("every machine of the Ray cluster is gone: the same command goes on")
                ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=LOOK_S)
                for reference in ready:
                    if outcome := self._take(reference):
                        yield outcome
        finally:
            for busy in self._busy.values():
                self._ray.kill(busy.actor)

    def _fill(self) -> None:
        """Begin workers, also on machines that joined the cluster or came back, while there are bags for them."""
        while len(self._busy) < self._capacity() and sum(not b.task for b in self._busy.values()) < len(self._waiting):
            share = {"num_gpus": 1, "num_cpus": 1} if self._gpu else {"num_cpus": self._cores, "num_gpus": 0}
            actor = self._ray.remote(EngineWorker).options(**share, max_restarts=0).remote()
            threads = 0 if self._gpu else self._cores
            reference = actor.load.remote(self._settings(), threads, __version__)
            self._busy[reference] = _Busy(actor)

    def _settings(self) -> BagSettings:
        return self._waiting[0].settings

    def _take(self, reference: Any) -> Outcome | None:
        """What a worker brings: a bag's outcome, or None when it has loaded, died, or the bag is tried again."""
        busy = self._busy.pop(reference)
        errors = self._ray.exceptions
        try:
            said = self._ray.get(reference)
        except errors.RayTaskError as error:
            self._ray.kill(busy.actor)
            return self._raised(busy, error)
        except errors.RayError as error:
            self._ray.kill(busy.actor)
            return self._died(busy, error)
        self._give(busy.actor)
        if busy.task is None:
            self._tell_ready(*said)
            return None
        self._tries[busy.task.name] += 1
        return said if not said.passing else self._again(busy.task, said)

    def _tell_ready(self, host: str, engine: str) -> None:
        """Each engine is described once: workers are many, their engines mostly the same."""
        self._say(f"another engine ready on {host}" if engine in self._told else f"engine ready on {host}: {engine}")
        self._told.add(engine)

    def _give(self, actor: Any) -> None:
        if self._waiting:
            task = self._waiting.popleft()
            self._busy[actor.run.remote(task)] = _Busy(actor, task)
        else:
            self._ray.kill(actor)

    def _again(self, task: Task, outcome: Outcome) -> Outcome | None:
        """None if the bag waits for another try, else ``outcome``."""
        if self._tries[task.name] > self._retries:
            return outcome
        self._say(f"{task.name}: {outcome.problem}; trying again")
        self._waiting.append(task)
        return None

    def _died(self, busy: _Busy, error: Exception) -> Outcome | None:
        reason = _first_line(error)
        if busy.task is None:
            self._failed_starts += 1
            if self._failed_starts > self._retries + self._capacity():
                raise MrfsError(f"workers of the Ray cluster die while they load the engine: {reason}") from error
            return None
        self._tries[busy.task.name] += 1
        problem = f"its worker died ({reason})"
        return self._again(busy.task, abandoned(busy.task, problem))

    def _raised(self, busy: _Busy, error: Any) -> Outcome:
        """An error of our own code; of the engine's loading it is everybody's."""
        if busy.task is None:
            if isinstance(error.cause, MrfsError):
                raise error.cause from None
            raise error
        return Outcome(bag=busy.task.bag, name=busy.task.name, problem=_first_line(error.cause), trace=str(error))

    def _capacity(self) -> int:
        return self._room("GPU", 1) if self._gpu else self._room("CPU", self._cores)

    def _room(self, resource: str, each: int) -> int:
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        return sum(int(node["Resources"].get(resource, 0) // each) for node in nodes)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
