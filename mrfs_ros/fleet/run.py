"""Run over many bags: finds them, leaves out what is done, runs the rest, tells how each ended."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mrfs_ros import __version__
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import check_settings, setting
from mrfs_ros.engine.configured_engine import configured_engine
from mrfs_ros.errors import ConfigError
from mrfs_ros.files import lock
from mrfs_ros.fleet import remote_files, summary_table
from mrfs_ros.fleet.find_bags import find_bags, named
from mrfs_ros.fleet.task import DONE, LOCK_WAIT_S, RESULTS, Outcome, Task, earlier, run_task, unfinished

if TYPE_CHECKING:
    from mrfs_ros.engine import Engine

ASKED = "bags.json"
RESERVED = (ASKED, DONE, summary_table.TABLE, summary_table.FACTS)
LOOKS = 8  # done.json read at once: behind URLs each takes a while


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """Bags in, a folder of results for each of them out."""

    bags: tuple[str, ...] = ()  # bags, globs, .txt lists of both; paths or URLs
    out: str = setting("", "Folder (path or URL) that gets a folder for each bag.")
    results: tuple[str, ...] = ("out",)  # of RESULTS
    run: BagSettings = field(default_factory=BagSettings)  # the same for each bag
    ray: str = setting(
        "", "Ray cluster: auto, local (begun here), ray://host:port; empty = none, one bag after another."
    )
    cores: int = setting(2, "Cores of each engine on a Ray cluster, where it has no GPU.", low=1, high=1024)
    retries: int = setting(2, "More tries for a bag whose worker died or whose copying failed.", low=0, high=100)
    scratch: str = setting("", "Local folder for bags fetched from URLs; empty = in the user's cache folder.")

    def __post_init__(self) -> None:
        check_settings(self)


def run_fleet(settings: FleetSettings, say: Callable[[str], None]) -> list[Outcome]:
    """Run every bag that is not done yet; return how each ended, in the order asked for.

    ``say`` gets a line now and then. The same call again goes on where this one was. Writes summary.md and
    summary.json into ``settings.out``, also when it is interrupted, of all bags that calls for this folder ever named.
    ConfigError when that folder holds results of other settings, or a list or glob yields no bags.
    """
    out = place_of(settings)
    tasks, others = planned(settings)
    with ThreadPoolExecutor(LOOKS) as pool:
        outcomes = {task.name: outcome for task, outcome in zip(tasks, pool.map(earlier, tasks)) if outcome}
        past = list(pool.map(partial(_past, problems=summary_table.problems(out)), others))
    waiting = [task for task in tasks if task.name not in outcomes]
    say(f"{len(tasks)} bags, {len(outcomes)} of them done earlier")
    try:
        for outcome in _runner(settings, say)(waiting) if waiting else ():
            outcomes[outcome.name] = outcome
            say(f"[{len(outcomes)}/{len(tasks)}] {summary_table.line(outcome)}")
    finally:
        ended = [outcomes.get(task.name) or unfinished(task) for task in tasks]
        with _written(settings.out), _naming(out):
            summary_table.write([*ended, *past], out)
        with suppress(OSError, IndexError):
            Path(tasks[0].scratch).rmdir()
    return ended


def _past(task: Task, problems: Mapping[str, str]) -> Outcome:
    """How a bag ended that is not asked for this time: changed or not, it is left as it is."""
    if outcome := earlier(task, look=False):
        return outcome
    outcome = unfinished(task)
    return replace(outcome, problem=problems.get(task.name, ""), earlier=True)


def _runner(settings: FleetSettings, say: Callable[[str], None]) -> Callable[[Sequence[Task]], Iterator[Outcome]]:
    if settings.ray:
        from mrfs_ros.fleet.ray_cluster import on_ray

        return lambda tasks: on_ray(tasks, settings.ray, settings.cores, settings.retries, say)
    return lambda tasks: one_after_another(tasks, configured_engine(settings.run.node), settings.retries)


def one_after_another(tasks: Sequence[Task], engine: Engine, retries: int) -> Iterator[Outcome]:
    """Run the bags in this process; how each ended, as they end."""
    waiting, tries = deque(tasks), Counter()
    while waiting:
        task = waiting.popleft()
        outcome = run_task(task, engine)
        tries[task.name] += 1
        if outcome.passing and tries[task.name] <= retries:
            waiting.append(task)
        else:
            yield outcome


def planned(settings: FleetSettings) -> tuple[list[Task], list[Task]]:
    """A task for each bag asked for, and for each that only earlier calls asked for.

    What was asked for and the names given are kept beside the results, for the next call.
    """
    if not settings.results or set(settings.results) - set(RESULTS):
        raise ConfigError(f"results: expected one or more of {', '.join(RESULTS)}, got {settings.results}")
    out = place_of(settings)
    asked = asked_for(settings)
    bags = find_bags(settings.bags)
    with _written(settings.out), _naming(out):
        said = _said(out) or {"settings": asked, "names": {}}
        before = said["settings"]
        if different := sorted(key for key in {*before, *asked} if before.get(key) != asked.get(key)):
            raise ConfigError(
                f"{settings.out} holds results of a run with other settings ({', '.join(different)}): "
                "repeat them, or choose another --out"
            )
        names = named(bags, said["names"], RESERVED)
        kept = {"mrfs_ros": __version__, "settings": asked, "names": {**said["names"], **names}}
        # Also where nothing is new: what cannot be written is told before the work.
        remote_files.put_text(remote_files.joined(out, ASKED), json.dumps(kept, indent=1) + "\n")
    key = hashlib.sha256(json.dumps([out, asked]).encode()).hexdigest()[:16]
    scratch = settings.scratch or str(_cache() / "bags")
    of_all = {"out": out, "scratch": str(Path(scratch, key)), "results": settings.results, "settings": settings.run}
    tasks = [Task(bag=bag, name=name, **of_all) for bag, name in names.items()]
    return tasks, [Task(bag=bag, name=name, **of_all) for bag, name in said["names"].items() if bag not in names]


def place_of(settings: FleetSettings) -> str:
    """The folder of all results: an absolute path, or a URL."""
    return settings.out if remote_files.is_url(settings.out) else str(Path(settings.out).expanduser().absolute())


def _naming(out: str) -> AbstractContextManager[None]:
    """One process at a time between reading the names given so far and writing those with its own."""
    if remote_files.is_url(out):  # nothing to lock there
        return nullcontext()
    return lock(Path(out, f"{ASKED}.lock"), LOCK_WAIT_S, "names its bags here")


def _said(out: str) -> dict[str, Any] | None:
    """What ASKED says of earlier calls, None if there were none; ConfigError if it is torn."""
    text, place = None, remote_files.joined(out, ASKED)
    try:
        text = remote_files.read_text(place)
        if text is None:
            return None
        said = json.loads(text)
        if isinstance(said["settings"], dict) and all(
            name and isinstance(name, str) for name in said["names"].values()
        ):
            return said
        problem = "something else"
    except ConfigError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problem = "an empty file" if text == "" else f"{type(error).__name__}: {error}"
    raise ConfigError(
        f"{place}: expected the settings and names of the results here, as JSON, got {problem}: put back a copy of it; "
        "or remove it and repeat the settings of these results; or choose another --out"
    )


@contextmanager
def _written(out: str) -> Iterator[None]:
    """ConfigError for what keeps ``out`` from being a folder of results."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"--out {out}: expected a folder, {error.filename or out} is a file: name another") from error
    except OSError as error:
        reason = f"{error.strerror or error} ({error.filename or out})"
        raise ConfigError(f"--out {out}: cannot be used: {reason}: mend that, or name another folder") from error


def asked_for(settings: FleetSettings) -> dict[str, Any]:
    """All that the results depend on, by name: weights by their content, wherever they lie."""
    from mrfs_ros.bag.run_configuration import requested_of
    from mrfs_ros.checkpoint import sha256_of
    from mrfs_ros.shipped import shipped_model

    node = settings.run.node
    weights = Path(node.weights or shipped_model()).expanduser()
    asked = {name: value for name, value in requested_of(settings.run).items() if name not in ("source", *RESULTS)}
    asked |= {
        "weights": sha256_of(weights) if weights.is_file() else node.weights,
        "classes": node.classes,
        "results": settings.results,
    }
    return json.loads(json.dumps(asked))


def _cache() -> Path:
    from mrfs_ros.engine.cache_folder import cache_folder

    return cache_folder()
