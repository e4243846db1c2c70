"""Runs every command and Python block of the documents on stand-in data: ``python test/docs/run_commands.py``.

Prints a table of what ran, for how long, and what did not and why; exit code 1 when one fails or is unknown.
Documents run side by side, each in a workspace of its own, as the table in stand_ins.py says.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test"))  # the makers of frames and bags that the tests use

from documents import Snippet, documents, snippets  # noqa: E402  (by the line above)
from stand_ins import PLACES, Plan, plan  # noqa: E402
from workspace import make_workspace  # noqa: E402

from mrfs_ros.ros.domain import own_domain  # noqa: E402

LIMIT_S = 300.0
LEAST_S = 8.0  # what runs until it is stopped must live so long
STOP_S = 20.0
SHOWN = 25  # lines of a failed command's output
STOPPED = (0, 130, -signal.SIGINT)


@dataclass(frozen=True)
class Outcome:
    """What became of a snippet; ``output`` is empty unless it failed."""

    snippet: Snippet
    state: str
    seconds: float
    note: str
    output: str = ""


class Terminal:
    """A shell in a workspace: keeps exported variables, and what runs until it is stopped."""

    def __init__(self, folder: Path, stand_ins: Path):
        self._folder, self._stand_ins = folder, stand_ins
        self._waiting: list[tuple[Snippet, subprocess.Popen, Path, float]] = []
        domain, self._domain_lock = own_domain()
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "XDG_CACHE_HOME": str(stand_ins.parent / "cache"),  # mrfs bench would change what auto means here
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        }
        shutil.copytree(stand_ins, folder)

    def run(self, snippet: Snippet) -> Outcome:
        """Run one snippet as the table says."""
        if snippet.language == "python":
            return self._finish(snippet, [sys.executable, "-c", snippet.text], "")
        planned = plan(snippet.text)
        if planned is None:
            return Outcome(snippet, "UNKNOWN", 0.0, "test/docs/stand_ins.py does not know it")
        if not planned.command:
            return Outcome(snippet, "not run", 0.0, planned.note)
        if planned.until_stopped:
            return self._start(snippet, planned.command, planned.note)
        if planned.alternative:
            return self._run_apart(snippet, planned)
        keep = f"; code=$?; env -0 > {self._folder / 'environment'}; exit $code"
        outcome = self._finish(snippet, ["bash", "-c", planned.command + keep], planned.note)
        if planned.command.startswith("export "):
            entries = (self._folder / "environment").read_text().split("\0")
            self._environment = dict(entry.partition("=")[::2] for entry in entries if entry)
        return outcome

    def _run_apart(self, snippet: Snippet, planned: Plan) -> Outcome:
        kept, self._folder = self._folder, self._folder.with_name(f"{self._folder.name}-apart")
        shutil.copytree(self._stand_ins, self._folder)
        outcome = self._finish(snippet, ["bash", "-c", planned.command], planned.note)
        shutil.rmtree(self._folder)
        self._folder = kept
        return outcome

    def stop(self) -> list[Outcome]:
        """Interrupt what still runs, as a user does by Ctrl-C, last started first."""
        outcomes = []
        for snippet, process, log, begin in reversed(self._waiting):
            time.sleep(max(0.0, begin + LEAST_S - time.monotonic()))
            early = process.poll()
            if early is None:
                os.killpg(process.pid, signal.SIGINT)
            try:
                code = process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            good = early is None and code in STOPPED
            state, output = ("ran", "") if good else ("FAILED", f"exit code {code}\n{log.read_text()}")
            note = "stopped at the end of its block"
            outcomes.append(Outcome(snippet, state, time.monotonic() - begin, note, output))
        self._waiting.clear()
        return outcomes

    def _start(self, snippet: Snippet, command: str, note: str) -> Outcome:
        log = self._folder / f"terminal{len(self._waiting)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], stdout=out, stderr=out, start_new_session=True, **self._place()
            )
        self._waiting.append((snippet, process, log, time.monotonic()))
        return Outcome(snippet, "started", 0.0, note)

    def _finish(self, snippet: Snippet, command: list[str], note: str) -> Outcome:
        begin = time.monotonic()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **self._place())
            try:
                code: int | str = process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                code = f"none after {LIMIT_S:.0f} s"
            out.seek(0)
            output = "" if code == 0 else f"exit code {code}\n{out.read()}"
        return Outcome(snippet, "FAILED" if output else "ran", time.monotonic() - begin, note, output)

    def _place(self) -> dict:
        return {"cwd": self._folder / "project", "env": self._environment, "stdin": subprocess.DEVNULL}


def run_document(found: list[Snippet], folder: Path, stand_ins: Path) -> list[Outcome]:
    """Run a document's snippets from top to bottom; what runs until stopped ends with its block."""
    terminal, outcomes = Terminal(folder, stand_ins), []
    for at, snippet in enumerate(found):
        outcomes.append(terminal.run(snippet))
        if at + 1 == len(found) or found[at + 1].block != snippet.block:
            stopped = {outcome.snippet: outcome for outcome in terminal.stop()}
            outcomes = [stopped.get(outcome.snippet, outcome) for outcome in outcomes]
    shutil.rmtree(folder, ignore_errors=True)
    return outcomes


def table(outcomes: list[Outcome]) -> str:
    """A line for each snippet: state, seconds, where it stands, what it is."""
    lines = []
    for o in outcomes:
        text = "python block" if o.snippet.language == "python" else o.snippet.text
        lines.append(f"{o.state:8} {o.seconds:6.1f} s  {o.snippet!s:28} {text}")
        if o.note:
            lines.append(f"{'':19} {'':28}   ({o.note})")
    return "\n".join(lines)


def main() -> int:
    """Run the documents named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("documents", nargs="*", type=Path, help="default: all pages of the site")
    parser.add_argument("--jobs", type=int, default=2, help="documents at once (default: 2)")
    arguments = parser.parse_args()
    paths = [path.resolve() for path in arguments.documents] or documents()
    work = [found for path in paths if (found := snippets(path))]
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(arguments.jobs) as pool:
        stand_ins = make_workspace(Path(scratch) / "stand_ins").parent
        jobs = [
            pool.submit(run_document, found, Path(scratch) / str(number), stand_ins)
            for number, found in enumerate(sorted(work, key=len, reverse=True))
        ]
        outcomes = sorted((o for job in jobs for o in job.result()), key=lambda o: (o.snippet.document, o.snippet.line))
    print("Stand-ins:\n" + "\n".join(f"  {place:24} {text}" for place, text in PLACES.items()) + "\n")
    print(table(outcomes))
    bad = [o for o in outcomes if o.state not in ("ran", "not run")]
    for o in bad:
        print(f"\n{o.state}: {o.snippet} {o.snippet.text}\n" + "\n".join(o.output.splitlines()[-SHOWN:]))
    ran = sum(o.state == "ran" for o in outcomes)
    print(f"\n{ran} of {len(outcomes)} ran in {time.monotonic() - begin:.0f} s, {len(bad)} bad")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
