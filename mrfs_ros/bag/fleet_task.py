"""One bag of many: fetch it, run it, bring its results home, and write down that it is done."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mrfs_ros.bag import remote
from mrfs_ros.bag.find import safe_part
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.sinks.protocol import PARTIAL
from mrfs_ros.bag.summary import Summary
from mrfs_ros.errors import ConfigError, MrfsError

if TYPE_CHECKING:
    from mrfs_ros.engine import Engine

DONE = "done.json"
RESULTS = {"out": "", "video": ".mp4", "frames": "_frames", "csv": ".csv", "report": ".html", "rerun": ".rrd"}
"""Kind of result, as in ``BagSettings``, to what its name has after the bag's."""
LAST_EVENTS = 100  # of what a run has to say, kept in DONE
LOCK_WAIT_S = 30.0  # a killed process lets go a moment after it is known to be dead


@dataclass(frozen=True, kw_only=True)
class Task:
    """``bag`` (path or URL) to ``out / name`` (path or URL); ``results``: keys of RESULTS; ``scratch``: local."""

    bag: str
    name: str
    out: str
    scratch: str
    results: tuple[str, ...]
    settings: BagSettings

    def done_file(self) -> str:
        return remote.joined(self.out, self.name, DONE)

    def home(self) -> Path:
        """The local folder in which ``work`` lies: the one of all results, or scratch if that is elsewhere."""
        return Path(self.scratch if remote.is_url(self.out) else self.out)

    def work(self) -> Path:
        """Where the bag's results lie until all are whole."""
        return self.home() / (self.name + PARTIAL)

    def bag_settings(self, source: str) -> BagSettings:
        """What to ask of the run over this bag, read from ``source``."""
        targets = {kind: str(self.work() / (self.name + RESULTS[kind])) for kind in self.results}
        return replace(self.settings, source=source, **targets)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a bag ended: ``summary``, or ``problem`` if it failed, ``passing`` if another try may help."""

    bag: str
    name: str
    summary: Summary | None = None
    problem: str = ""
    passing: bool = False
    earlier: bool = False
    trace: str = ""  # of an error that is not the bag's but ours

    @property
    def state(self) -> str:
        if self.summary is None:
            return f"failed: {self.problem}" if self.problem else "not run"
        how = "done" if self.summary.exit_code == 0 else "partly"
        return f"{how} earlier" if self.earlier else how

    @property
    def whole(self) -> bool:
        return self.summary is not None and self.summary.exit_code == 0


def earlier(task: Task) -> Outcome | None:
    """How the bag ended in an earlier run; None if it did not, or only half of the results came home."""
    text = remote.read_text(task.done_file())
    try:
        said = json.loads(text or "")
        found = said["summary"]
        summary = Summary(**{**found, "damage": tuple(found["damage"]), "results": tuple(found["results"])})
    except (ValueError, KeyError, TypeError):
        return None
    return Outcome(bag=task.bag, name=task.name, summary=summary, earlier=True)


def run_task(task: Task, engine: Engine) -> Outcome:
    """Run one bag; whatever goes wrong is told, not raised, so that the other bags go on."""
    try:
        with _alone(task.home() / f"{task.name}.lock"):
            return earlier(task) or Outcome(bag=task.bag, name=task.name, summary=_run(task, engine))
    except MrfsError as error:
        return Outcome(bag=task.bag, name=task.name, problem=str(error))
    except Exception as error:
        passing = isinstance(error, OSError)
        trace = "" if passing else traceback.format_exc(limit=-8)
        problem = f"{type(error).__name__}: {error}"
        return Outcome(bag=task.bag, name=task.name, problem=problem, passing=passing, trace=trace)


def _run(task: Task, engine: Engine) -> Summary:
    final = Path(task.out, task.name)
    if not remote.is_url(task.out) and final.exists():
        raise ConfigError(f"{final} is there already and not of this command (no {DONE} in it): choose another --out")
    fetched = Path(task.scratch, f"{task.name}.bag")
    try:
        summary = _answered(task, engine, fetched)
    except MrfsError:  # fetching it once more would not mend it
        shutil.rmtree(fetched, ignore_errors=True)
        raise
    finally:
        with suppress(OSError):
            task.work().rmdir()  # of a bag that gave nothing
    shutil.rmtree(fetched, ignore_errors=True)
    return summary


def _answered(task: Task, engine: Engine, fetched: Path) -> Summary:
    from mrfs_ros.bag.job import run_bag
    from mrfs_ros.bag.order import journal_path

    source = task.bag
    if remote.is_url(source):
        source = str(remote.fetch(source, fetched, safe_part(remote.own_name(source)) or task.name))
    settings, work = task.bag_settings(source), task.work()
    if any(target.exists() for target in settings.targets()) and not journal_path(settings).exists():
        shutil.rmtree(work)  # killed after the run was complete, before that was written down
    work.mkdir(parents=True, exist_ok=True)
    events: deque[str] = deque(maxlen=LAST_EVENTS)
    summary = run_bag(settings, engine, say=events.append)
    summary = replace(summary, source=task.bag, results=tuple(target.name for target in settings.targets()))
    facts = {"bag": task.bag, "engine": str(engine.info), "summary": asdict(summary), "events": list(events)}
    said = json.dumps(facts, indent=1) + "\n"
    if not remote.is_url(task.out):
        remote.write_text(str(work / DONE), said)
        work.rename(Path(task.out, task.name))
        return summary
    names = [str(path.relative_to(work)) for path in sorted(work.rglob("*")) if path.is_file()]
    remote.put(work, remote.joined(task.out, task.name), names)
    remote.write_text(task.done_file(), said)  # last: without it, what lies there counts for nothing
    shutil.rmtree(work)
    return summary


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, which names host and process; MrfsError if another process keeps it."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    file.seek(0)
                    raise MrfsError(f"{path}: another process works on this bag ({file.read().strip()})") from None
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks
                pass
            if not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                continue  # whoever held it has removed it
            file.truncate(0)
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
