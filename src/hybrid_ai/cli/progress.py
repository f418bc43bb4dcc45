"""A progress bar on stderr, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from hybrid_ai.cli.output import note
from hybrid_ai.pipeline.verify import Observer

if TYPE_CHECKING:
    from hybrid_ai.search import Progress

REFRESH = 0.1


@contextmanager
def observed() -> Iterator[Observer]:
    """An observer that shows a bar (boxes per second, decided share of the input volume) on a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield Observer(None, note)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    console = Console(stderr=True, markup=False, highlight=False)
    # stdout stays what it is: it carries the result.
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("searching", total=1.0)
        began = last = monotonic()

        def show(progress: Progress) -> None:
            nonlocal began, last
            if progress.bounded < shown[0]:  # the next search of a suite
                began = monotonic()
            shown[0] = progress.bounded
            if monotonic() - last < REFRESH:
                return
            last = monotonic()
            rate = progress.bounded / max(last - began, 1e-3)
            text = f"{progress.bounded:,} boxes, {rate:,.0f}/s"
            bar.update(task, completed=progress.decided, description=text)

        shown = [0]
        yield Observer(show, console.print)
