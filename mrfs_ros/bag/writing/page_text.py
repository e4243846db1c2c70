"""One web page about a run, in one file that needs no network: facts, pictures, and charts over time."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mrfs_ros import __version__
from mrfs_ros.bag.journal import Entry
from mrfs_ros.bag.writing.page_data import chart_data, clock, for_script, summary_of
from mrfs_ros.errors import MissingPackageError
from mrfs_ros.files import atomic
from mrfs_ros.types import ClassSet

PAGE = Path(__file__).resolve().parent / "page"
LOSSES = ("images skipped", "without a partner", "not well paired", "not readable")  # facts of a run, shown on top


def write_report(
    path: Path,
    entries: Iterable[Entry],
    pictures: Mapping[int, Path],
    classes: ClassSet,
    facts: Mapping[str, str],
    notice: str = "",
) -> None:
    """Write the page to ``path``, whole or not at all.

    ``pictures``: index of a pair to the JPEG file of its overlay. ``facts``: what ran on what, in the order of
    reading; the value of ``bag`` is the heading. ``notice``: why not to trust any of it, or empty.
    """
    _, jinja2 = check_packages()
    pairs = list(entries)
    times = clock(pairs)
    summary = summary_of(pairs, times, classes)
    engine = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    engine.filters.update(seconds=_duration, share=_percent)
    page = engine.from_string(_part("report.html")).render(
        bag=facts.get("bag", "a bag"),
        facts={name: value for name, value in facts.items() if name != "bag" and name not in LOSSES},
        losses={name.capitalize(): facts[name] for name in LOSSES if name in facts},
        notice=notice,
        summary=summary,
        film=_film(pairs, times, pictures),
        data=for_script(chart_data(pairs, times, classes)),
        style=_part("report.css"),
        script=_part("report.js"),
        plotly=_plotly_script(),
        version=__version__,
    )
    with atomic(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def check_packages() -> tuple[Any, Any]:
    """plotly.offline and jinja2; MissingPackageError with the line that installs them."""
    try:
        import jinja2
        import plotly.offline as plotly
    except ImportError as error:
        raise MissingPackageError(f"a report needs {error.name}: pip install 'mrfs_ros[report]'") from error
    return plotly, jinja2


def _film(pairs: list[Entry], times: list[float], pictures: Mapping[int, Path]) -> list[dict[str, Any]]:
    """What the filmstrip shows of each picture."""
    film = []
    for entry, seconds in zip(pairs, times):
        if path := pictures.get(entry.index):
            content = base64.b64encode(path.read_bytes()).decode("ascii")
            film.append({"index": entry.index, "seconds": seconds, "source": f"data:image/jpeg;base64,{content}"})
    return film


def _duration(seconds: float) -> str:
    """1.23 s, 12.3 s, and from two minutes on 4:05 min and 1:02:03 h."""
    if seconds < 120:
        return f"{seconds:.{2 if seconds < 10 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d} h"


def _percent(share: float) -> str:
    """Three digits, and never a share that looks like none or like all."""
    return f"{share:.1f}" if share >= 0.1 else "< 0.1"


def _plotly_script() -> str:
    plotly, _ = check_packages()
    return plotly.get_plotlyjs().replace("</script", r"<\/script")


def _part(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")
