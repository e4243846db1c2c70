"""Task of a fleet: one bag fetched, run, its results brought home, and written down as done."""

from __future__ import annotations

import json
import shutil
import traceback
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrfs_ros.bag.journal import Tally, read_segments
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.summary import Summary
from mrfs_ros.bag.writing.result_writer import PARTIAL
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.files import lock, move
from mrfs_ros.fleet import remote_files
from mrfs_ros.fleet.find_bags import safe_part

if TYPE_CHECKING:
    from mrfs_ros.engine import Engine

DONE = "done.json"
RESULTS = {
    "out": "", "video": ".mp4", "frames": "_frames", "pairs": "_pairs", "csv": ".csv",
    "objects": "_objects.csv", "report": ".html",
    "rerun": ".rrd",
}  # fmt: skip
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
        return remote_files.joined(self.out, self.name, DONE)

    def home(self) -> Path:
        """The local folder in which ``work`` lies: the one of all results, or scratch if that is elsewhere."""
        return Path(self.scratch if remote_files.is_url(self.out) else self.out)

    def work(self) -> Path:
        """Where the bag's results lie until all are whole."""
        return self.home() / (self.name + PARTIAL)

    def old(self) -> Path:
        """Where older results lie while new ones take their place; no bag's name begins with a dot."""
        return Path(self.out, f".{self.name}.old")

    def lock(self) -> Path:
        """Held by the process that works on the bag."""
        return self.home() / f"{self.name}.lock"

    def bag_settings(self, source: str) -> BagSettings:
        """What to ask of the run over this bag, read from ``source``."""
        targets = {kind: str(self.work() / (self.name + RESULTS[kind])) for kind in self.results}
        return replace(self.settings, source=source, **targets)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a bag ended: ``summary``, or ``problem`` if it failed, ``passing`` if another try may help.

    ``earlier``: in an earlier call. ``again``: it had been done before it changed. ``kept``: pairs of a run that was
    cut short, after which the next one goes on.
    """

    bag: str
    name: str
    summary: Summary | None = None
    problem: str = ""
    passing: bool = False
    earlier: bool = False
    again: bool = False
    kept: int = 0
    trace: str = ""  # of an error that is not the bag's but ours

    @property
    def state(self) -> str:
        if self.summary is None:
            return self._unfinished()
        how = "done" if self.summary.exit_code == 0 else "partly"
        return f"{how} earlier" if self.earlier else f"{how} again: the bag has changed" if self.again else how

    def _unfinished(self) -> str:
        kept = f"the next call goes on after {self.kept} pairs" if self.kept else ""
        if not self.problem:
            return f"interrupted: {kept}" if kept else "not run"
        failed = f"failed{' earlier' if self.earlier else ''}: {self.problem}"
        old = "the results are those from before the bag changed" if self.again else ""
        return "; ".join(filter(None, (failed, old, kept)))

    @property
    def whole(self) -> bool:
        return self.summary is not None and self.summary.exit_code == 0


def earlier(task: Task, look: bool = True) -> Outcome | None:
    """How the bag ended in an earlier run; None if it did not, or only half of the results came home.

    ``look`` at the bag: None too if it has changed since. One that is gone or out of reach has not.
    """
    said = _said(task.done_file())
    summary = _summary(said)
    if summary is None or (look and _changed(task, said)):
        return None
    return Outcome(bag=task.bag, name=task.name, summary=summary, earlier=True)


def unfinished(task: Task) -> Outcome:
    """A bag that nobody works on, and that is not done."""
    return Outcome(bag=task.bag, name=task.name, kept=_kept_pairs(task))


def _said(place: str) -> dict[str, Any]:
    try:
        said = json.loads(remote_files.read_text(place) or "")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _summary(said: dict[str, Any]) -> Summary | None:
    try:
        found = said["summary"]
        lists = {name: tuple(found[name]) for name in ("damage", "results", "unpaired")}
        return Summary(**{**found, **lists})
    except (KeyError, TypeError):
        return None


def _is_done(task: Task) -> bool:
    """Whether whole results lie there, of the bag as it is or as it was."""
    return _summary(_said(task.done_file())) is not None


def _changed(task: Task, said: dict[str, Any]) -> bool:
    if "source" not in said:
        return False
    try:
        return remote_files.files_of(task.bag) not in ([], said["source"])
    except (MrfsError, OSError):
        return False


def run_task(task: Task, engine: Engine) -> Outcome:
    """Run one bag; whatever goes wrong is told, not raised, so that the other bags go on."""
    try:
        with lock(task.lock(), LOCK_WAIT_S, "works on this bag"):
            return earlier(task) or _run(task, engine)
    except Exception as error:
        return _failed(task, error)


def abandoned(task: Task, problem: str) -> Outcome:
    """The outcome of a bag whose process died; what it left is removed where no pair of it was answered."""
    kept = 0
    if task.work().exists():
        with suppress(MrfsError, OSError), lock(task.lock(), 0.0, "works on this bag"):
            kept = _left_behind(task)
    return Outcome(bag=task.bag, name=task.name, problem=problem, passing=True, kept=kept)


def _failed(task: Task, error: Exception, **more: Any) -> Outcome:
    if isinstance(error, MrfsError):
        return Outcome(bag=task.bag, name=task.name, problem=str(error), **more)
    passing = isinstance(error, OSError)
    trace = "" if passing else "".join(traceback.format_exception(error, limit=-8))
    problem = f"{type(error).__name__}: {error}"
    return Outcome(bag=task.bag, name=task.name, problem=problem, passing=passing, trace=trace, **more)


def _run(task: Task, engine: Engine) -> Outcome:
    again, fetched = False, Path(task.scratch, f"{task.name}.bag")
    try:
        _mend(task)
        again = _is_done(task)
        final = Path(task.out, task.name)
        if not remote_files.is_url(task.out) and final.exists() and not again:
            raise ConfigError(
                f"{final} is there already and not of this command (no {DONE} in it): choose another --out"
            )
        summary = _answered(task, engine, fetched)
        _bring_home(task, again)
    except Exception as error:
        if isinstance(error, MrfsError):  # fetching it once more would not mend it
            shutil.rmtree(fetched, ignore_errors=True)
        with suppress(MrfsError, OSError):
            again = again and _is_done(task)  # else the old results had to make room already
        return _failed(task, error, again=again, kept=_left_behind(task))
    shutil.rmtree(fetched, ignore_errors=True)
    return Outcome(bag=task.bag, name=task.name, summary=summary, again=again)


def _kept_pairs(task: Task) -> int:
    """The pairs done by a run that was cut short; 0 if none of them is answered."""
    from mrfs_ros.bag.run_configuration import journal_path

    if summary := _summary(_said(str(task.work() / DONE))):
        return summary.pairs
    tally = Tally.of(read_segments(journal_path(task.bag_settings(task.bag))))
    return tally.pairs if tally.answered else 0


def _left_behind(task: Task) -> int:
    """As ``_kept_pairs``; what is left of a run without them is removed."""
    work = task.work()
    kept = _kept_pairs(task)
    if not kept and (work / DONE).exists():  # else it is not ours
        shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        work.rmdir()
    return kept


def _answered(task: Task, engine: Engine, fetched: Path) -> Summary:
    """Make all results in ``task.work()``, with what is to be said of them in DONE; go on with a run begun there."""
    from mrfs_ros.bag.job import run_bag
    from mrfs_ros.bag.run_configuration import journal_path

    files, work, settings = remote_files.files_of(task.bag), task.work(), task.bag_settings(task.bag)
    begun = _said(str(work / DONE))
    note = {"bag": task.bag, "source": files or begun.get("source", [])}
    if changed := bool(files) and begun.get("source") != files:
        shutil.rmtree(fetched, ignore_errors=True)
    elif summary := _summary(begun):
        return summary  # only the way home is left
    torn = any(target.exists() for target in settings.targets()) and not journal_path(settings).exists()
    if torn or (begun and changed):  # killed as it was complete, before that was written down; or of another bag
        shutil.rmtree(work)
    remote_files.put_text(str(work / DONE), json.dumps(note) + "\n")
    if remote_files.is_url(task.bag):
        name = safe_part(remote_files.own_name(task.bag)) or task.name
        settings = replace(settings, source=str(remote_files.fetch(task.bag, fetched, name)))
    events: deque[str] = deque(maxlen=LAST_EVENTS)
    summary = run_bag(settings, engine, say=events.append)
    summary = replace(summary, source=task.bag, results=tuple(target.name for target in settings.targets()))
    facts = {**note, "engine": str(engine.info), "summary": asdict(summary), "events": list(events)}
    remote_files.put_text(str(work / DONE), json.dumps(facts, indent=1) + "\n")
    return summary


def _bring_home(task: Task, again: bool) -> None:
    """Move the results to where they are asked for; older ones make room only now."""
    work, final = task.work(), Path(task.out, task.name)
    if not remote_files.is_url(task.out):
        if again:
            move(final, task.old())
        move(work, final)
        shutil.rmtree(task.old(), ignore_errors=True)
        return
    home = remote_files.joined(task.out, task.name)
    if again:
        remote_files.remove(task.done_file())  # first and last: without it, what lies there counts for nothing
        remote_files.remove(home)
    files = (path for path in sorted(work.rglob("*")) if path.is_file() and path != work / DONE)
    remote_files.put(work, home, [str(path.relative_to(work)) for path in files])
    remote_files.put_text(task.done_file(), (work / DONE).read_text(encoding="utf-8"))
    shutil.rmtree(work)


def _mend(task: Task) -> None:
    """Older results whose exchange was cut short go back, or go."""
    if remote_files.is_url(task.out) or not (task.old() / DONE).exists():
        return
    if Path(task.out, task.name).exists():
        shutil.rmtree(task.old())
    else:
        move(task.old(), Path(task.out, task.name))
