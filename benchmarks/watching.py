"""Reads in a process of their own, which is stopped at a limit of time or memory."""

import warnings
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

GB = 1e9
LONG_SECONDS = 60

Read = Callable[[], pa.Table]


class Limits(NamedTuple):
    """At which a way is stopped: seconds for all its reads of one size once it is ready, and memory of its process."""

    seconds: float
    memory_gb: float


def watched(opened: Callable[[], Read], answer: Path, limits: Limits, *, repeats: int) -> dict[str, Any]:
    """Read in a process of its own; stop it at the limits.

    Args:
        opened: gives what reads; not timed. Can be pickled.
        answer: a file for what the first read gave. That warms up and does not count, unless it took a minute: then it
            is the only one.

    Returns:
        Median and all seconds, memory at the start and at most; or why it was stopped.
    """
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_reads, args=(sender, opened, answer, repeats), daemon=True)
    process.start()
    sender.close()
    try:
        return _watch(process.pid, receiver, limits)
    finally:
        process.kill()
        process.join()


def _watch(pid: int | None, receiver: Connection, limits: Limits) -> dict[str, Any]:
    start: dict[str, Any] = {}
    try:
        # Importing the libraries takes a busy machine a while, and is not counted.
        start = receiver.recv()
        until, peak = monotonic() + limits.seconds, start.get("start_gb", 0.0)
        while not receiver.poll(0.05):
            peak = max(peak, psutil.Process(pid).memory_info().rss / GB)
            if peak > limits.memory_gb or monotonic() > until:
                why = f"{limits.memory_gb} GB" if peak > limits.memory_gb else f"{limits.seconds:.0f} s"
                return {"stopped": f"limit of {why} reached", "peak_gb": round(peak, 2)}
        figures: dict[str, Any] = start | receiver.recv() | {"peak_gb": round(peak, 2)}
        return figures
    except (EOFError, psutil.NoSuchProcess):
        # What could not be opened says why and ends.
        return {"stopped": start.get("stopped", "its process died")}


def _reads(sender: Connection, opened: Callable[[], Read], answer: Path, repeats: int) -> None:
    # Libraries beside ours call what newer versions of others deprecate.
    warnings.simplefilter("ignore")
    try:
        read = opened()
        sender.send({"start_gb": round(psutil.Process().memory_info().rss / GB, 2)})
        start = perf_counter()
        found = read()
        seconds = [perf_counter() - start]
        pq.write_table(found, answer)
        del found
        seconds = seconds if seconds[0] > LONG_SECONDS else [_seconds(read) for _ in range(repeats)]
    except Exception as error:
        sender.send({"stopped": f"{type(error).__name__}: {error}".splitlines()[0]})
    else:
        sender.send({"median_seconds": round(median(seconds), 3), "seconds": [round(each, 3) for each in seconds]})


def _seconds(read: Read) -> float:
    start = perf_counter()
    read()
    return perf_counter() - start
