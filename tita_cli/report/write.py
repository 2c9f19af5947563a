"""Write a report: one self-contained HTML file."""

from __future__ import annotations

import html
import json
import os
import platform
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata, resources
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tita_cli import __version__
from tita_cli.batch import History, read_journal
from tita_cli.batch.journal import FILE_NAME
from tita_cli.batch.work import now
from tita_cli.errors import InputError
from tita_cli.files import is_address, resolved
from tita_cli.images import atomic_output, check_writable
from tita_cli.report.pictures import MOST_SOURCES, Views, preview_side, view_row
from tita_cli.report.rows import Row, make_rows
from tita_cli.runtime.threads import usable_cores

if TYPE_CHECKING:
    from tita_cli.metrics.registry import Metric

DEFAULT_METRICS = "EN,SF,SSIM,Qabf"
NO_METRICS = "none"
PACKAGES = ("numpy", "opencv-python-headless", "pillow", "torch", "onnxruntime", "onnxruntime-gpu")

MARK = b'<meta name="generator" content="tita report">'
_HEAD = 1000  # bytes within which the mark is
_AHEAD = 16  # rows that are made before they are written

Listener = Callable[[int, int], None]


def write_report(
    folder: Path,
    target: Path,
    *,
    metrics: str = DEFAULT_METRICS,
    overwrite: bool = False,
    listener: Listener = lambda done, total: None,
) -> None:
    """Write a page about the batch whose results and journal are in ``folder``.

    ``metrics``: names separated by commas, or ``none``. ``listener`` is called with the number of finished rows and of
    all rows. Raises InputError if ``folder`` has no journal, UsageError for an unknown metric, OutputError.
    """
    history = read_journal(folder)
    if history.run is None:
        raise InputError(f"{folder}: no journal of a batch here", hint="give the output folder of tita batch")
    wanted, page = report_metrics(metrics), resolved(target).parent
    read = (path for row in make_rows(history, folder) for path in (*row.sources, row.target))
    check_writable(target, overwrite, sources=chain([folder / FILE_NAME], read))
    side = preview_side(sum(min(len(row.sources), MOST_SOURCES) + 1 for row in make_rows(history, folder)))
    before, between, after = _template(folder)
    # Rows follow the pictures in the page. Until then they are in a file, since a journal may have a million.
    with atomic_output(target, overwrite=overwrite) as file, TemporaryFile() as details:
        file.write(before.encode())
        for number, (row, views) in enumerate(_viewed(make_rows(history, folder), side, wanted)):
            # A script type that browsers do not run: plain text, decoded only when a row comes into view.
            file.write(f'<script type="text/plain" id="p{number}">{" ".join(views.images)}</script>\n'.encode())
            links = {"shown": views.shown, "link": _link(row.target, page)}
            detail = _script_json({**row.describe(), **links, "metrics": views.metrics})
            details.write(f"{',' if number else ''}{detail}".encode())
            listener(number + 1, len(history))
        file.write(between.encode())
        file.write(f'{_script_json(_data(history, folder, wanted))[:-1]}, "rows": ['.encode())
        details.seek(0)
        shutil.copyfileobj(details, file)
        file.write(f"]}}{after}".encode())


def _viewed(rows: Iterable[Row], side: int, metrics: Sequence[Metric]) -> Iterator[tuple[Row, Views]]:
    """Each row with its pictures and metrics, some of them made before they are asked for."""
    ahead: deque[tuple[Row, Future[Views]]] = deque()
    with ThreadPoolExecutor(usable_cores()) as pool:
        try:
            for row in rows:
                ahead.append((row, pool.submit(view_row, row, side, metrics)))
                if len(ahead) > _AHEAD:
                    first, views = ahead.popleft()
                    yield first, views.result()
            while ahead:
                first, views = ahead.popleft()
                yield first, views.result()
        finally:
            pool.shutdown(cancel_futures=True)


def is_report(path: Path) -> bool:
    """Whether the file is a page that :func:`write_report` wrote, which a newer one may replace."""
    if is_address(path):
        return False
    try:
        with path.open("rb") as file:
            return MARK in file.read(_HEAD)
    except OSError:
        return False


def report_metrics(names: str) -> Sequence[Metric]:
    """The metrics listed in ``names``. Raises UsageError for an unknown one."""
    if names.strip().lower() == NO_METRICS:
        return []
    from tita_cli.metrics.registry import find_metrics

    return find_metrics(names)


def _template(folder: Path) -> tuple[str, str, str]:
    """The page before the pictures, between pictures and data, and after the data."""
    assets = resources.files("tita_cli.report") / "assets"
    page, style, script = ((assets / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js"))
    title = html.escape(_text(resolved(folder).name))
    before, rest = page.split("{{pictures}}")
    between, after = rest.split("{{data}}")
    # The title last, since the name of a folder may contain any text.
    return before.replace("{{style}}", style).replace("{{title}}", title), between, after.replace("{{script}}", script)


def _data(history: History, folder: Path, metrics: Sequence[Metric]) -> dict[str, Any]:
    """The data of the page apart from its rows."""
    run = history.run or {}
    return {
        "title": resolved(folder).name,
        "folder": str(resolved(folder)),
        "made": now(),
        "run": run,
        "runs": history.runs,
        "metrics": [{"name": metric.name, "arrow": metric.arrow} for metric in metrics],
        "versions": dict(_versions(run)),
    }


def _versions(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "tita, at the run", str(run.get("tita", ""))
    yield "tita, at this report", __version__
    yield "Python", platform.python_version()
    yield "system", platform.platform()
    for package in PACKAGES:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:  # one of the two builds of onnxruntime is installed
            continue


def _link(result: Path, page: Path) -> str:
    """Relative link from ``page``, the folder of the page, to the full-size result, or its address."""
    if is_address(result):
        return str(result)
    try:
        relative = os.path.relpath(resolved(result), page)
    except ValueError:  # another drive
        return resolved(result).as_uri()
    return quote(Path(relative).as_posix(), errors="surrogateescape")


def _text(text: str) -> str:
    """``text`` as valid UTF-8; paths may contain surrogates."""
    return text.encode("utf-8", "replace").decode()


def _script_json(data: Any) -> str:
    """JSON that cannot end the enclosing script element, whatever the names of files."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c")
