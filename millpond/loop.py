"""The whole loop in one process, with the time and memory of each step."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from time import perf_counter

import psutil
from rich.console import Console

from millpond import models, pipeline, report
from millpond.errors import CannotTrain
from millpond.learning import TRAINERS

Progress = Callable[[str], AbstractContextManager[Callable[[str], None]]]


@dataclass(frozen=True)
class Step:
    """What one step took. Memory is the highest resident set of this process and its children, sampled."""

    name: str
    seconds: float
    peak_mib: float


def run(*, as_of: date | None, horizons: Sequence[int], wait_seconds: float, out: Console, progress: Progress) -> None:
    """Build, publish, train, score and decide; then print what was decided."""
    steps: list[Step] = []
    notice = partial(out.print, style="yellow", highlight=False, soft_wrap=True)
    with _measured("build", steps), progress("Building") as done:
        built = pipeline.build(as_of=as_of, wait_seconds=wait_seconds, on_node=done, on_notice=notice)
    with _measured("publish", steps), progress("Publishing") as done:
        pipeline.publish(wait_seconds=wait_seconds, on_view=done)
    trained = []
    for name in TRAINERS:
        try:
            with _measured(f"train {name}", steps), progress(f"Training {name}"):
                trained.append(pipeline.train(name, wait_seconds=wait_seconds))
        except CannotTrain as error:
            if name not in models.OPTIONAL:
                raise
            out.print(f"{error}. {models.untrained(name)}.", highlight=False)
    # What there is to say of the responses was said when training on the same date.
    with _measured("score", steps), progress("Scoring"):
        pipeline.score(horizons=horizons, wait_seconds=wait_seconds)
    with _measured("decide", steps), progress("Deciding") as done:
        pipeline.decide(wait_seconds=wait_seconds, on_node=done)
    report.print_run(out, built=built, trained=trained, steps=steps)


@contextmanager
def _measured(name: str, steps: list[Step]) -> Iterator[None]:
    stop = threading.Event()
    peak = [0]
    sampler = threading.Thread(target=_sample, args=(stop, peak), daemon=True)
    begin = perf_counter()
    sampler.start()
    try:
        yield
    finally:
        stop.set()
        sampler.join()
    steps.append(Step(name, round(perf_counter() - begin, 2), round(peak[0] / 2**20, 1)))


def _sample(stop: threading.Event, peak: list[int]) -> None:
    process = psutil.Process()
    while True:
        try:
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(one.memory_info().rss for one in family))
        except psutil.NoSuchProcess:
            pass
        if stop.wait(0.05):
            return
