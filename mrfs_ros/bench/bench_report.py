"""Report of a benchmark: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from mrfs_ros.bench.alone import Alone
from mrfs_ros.bench.measure import BASELINE, Case, Timing
from mrfs_ros.engine.speeds import hardware, versions
from mrfs_ros.files import write_text


@dataclass
class Report:
    """Everything that one ``mrfs bench`` measured."""

    device: str
    rounds: int
    timings: list[tuple[Case, list[Timing]]] = field(default_factory=list)
    alone: list[tuple[Case, list[Alone]]] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write bench.md and bench.json into an existing folder."""
        write_text(folder / "bench.md", self.markdown())
        write_text(folder / "bench.json", json.dumps(self.facts(), indent=1) + "\n")

    def facts(self) -> dict:
        """The numbers with everything that they depend on."""
        return {
            "date": date.today().isoformat(),
            "command": _command(),
            "hardware": hardware(self.device),
            "device": self.device,
            "python": platform.python_version(),
            "versions": versions(),
            "rounds": self.rounds,
            "side by side": [{**asdict(case), "backends": [asdict(t) for t in rows]} for case, rows in self.timings],
            "alone": [{**asdict(case), "backends": [asdict(a) for a in rows]} for case, rows in self.alone],
        }

    def markdown(self) -> str:
        """The tables, with the command, date, hardware and versions."""
        facts = self.facts()
        packages = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        lines = [
            f"`{facts['command']}`, {facts['date']}, {facts['hardware']}, Python {facts['python']}, {packages}.",
            f"Whole path, bytes in to bytes out; {self.rounds} round(s) in which the backends take turns.",
            "",
            *_table(_TIMING_COLUMNS, [_timing_row(c, t) for c, rows in self.timings for t in rows if not t.problem]),
        ]
        problems = [f"- {case}, {t.backend}: {t.problem}" for case, rows in self.timings for t in rows if t.problem]
        lines += ["", "Did not run:", "", *problems] if problems else []
        if self.alone:
            rows = [_alone_row(case, a) for case, rows in self.alone for a in rows]
            lines += ["", "Each alone in a fresh process:", "", *_table(_ALONE_COLUMNS, rows)]
        return "\n".join(lines) + "\n"


_TIMING_COLUMNS = (
    "network", "HxW", "batch", "backend", "encoder side", "median ms", "p95 ms", f"x {BASELINE}", "pairs/s",
    "fused differs, of 255", "labels equal %",
)  # fmt: skip
_ALONE_COLUMNS = (
    "network", "HxW", "batch", "backend", "encoder side", "memory kept", "median ms", "first frame ms",
    "peak MiB", "page faults/frame",
)  # fmt: skip


def _timing_row(case: Case, timing: Timing) -> list[str]:
    return [
        *_case_cells(case),
        f"{timing.backend} ({timing.detail})" if timing.detail else timing.backend,
        case.encoder_side,
        f"{timing.median_ms:.4g}",
        f"{timing.p95_ms:.4g}",
        f"{timing.ratio:.2f}",
        f"{1000 * case.batch / timing.median_ms:.3g}",
        str(timing.fused_error),
        f"{100 * timing.label_agreement:.3f}",
    ]


def _alone_row(case: Case, alone: Alone) -> list[str]:
    return [
        *_case_cells(case),
        alone.backend,
        case.encoder_side,
        "yes" if alone.keeps_memory else "no (C library's default)",
        f"{alone.median_ms:.4g}",
        f"{alone.first_ms:.4g}",
        f"{alone.peak_mb:.0f}",
        f"{alone.page_faults:.0f}",
    ]


def _case_cells(case: Case) -> list[str]:
    return [case.variant, f"{case.size[0]}x{case.size[1]}", str(case.batch)]


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows)]


def _command() -> str:
    return shlex.join(["mrfs", *sys.argv[1:]])
