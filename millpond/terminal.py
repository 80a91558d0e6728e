"""What the command line writes on: results on standard output, progress and mistakes on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# What is said comes from data and command lines too: [/b] in it is no markup, and :gem: no picture.
out = Console(markup=False, emoji=False)
err = Console(stderr=True, markup=False, emoji=False)


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """A line on a terminal's stderr that names what has just been done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(title)
        count = 0

        def report(name: str) -> None:
            nonlocal count
            count += 1
            bar.update(task, description=f"{title}: {count} done, last {name}")

        yield report
