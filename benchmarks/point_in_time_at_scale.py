"""Point-in-time features of a training set of any size, out of made-up feature tables.

feast_lake    this project's offline store, reading a DuckLake
floor         one hand-written ASOF statement in DuckDB on Parquet files of the same tables, without Feast
feast_duckdb  Feast's own DuckDB offline store, reading those Parquet files

By default 1,000,000 rows are asked for, each a customer at a random second, with 60 features of 4 views that hold an
observation of 20,000 customers in each of 104 weeks. The ways are also tried at a hundredth, a thirtieth, a tenth and
a third of the rows, smallest first; one that is stopped at the time or the memory limit is not tried with
more. Every read has a process of its own, whose memory is watched; its first answer is compared with feast_lake's cell
by cell, and one that differs means exit code 1. The result goes to benchmarks/results/point_in_time_at_scale.json.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter
from typing import Any, NamedTuple

import duckdb
import machine
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.data_source import DataSource
from feast.types import Float64, Int64, String
from point_in_time import differing_cells

from feast_lake import LakeSource

WAYS = ("feast_lake", "floor", "feast_duckdb")
SHARES = (100, 30, 10, 3, 1)
STARTS_ON = "timestamp '2022-01-03'"
GB = 1e9

Read = Callable[[], pa.Table]


class Size(NamedTuple):
    """What is asked of how much.

    Attributes:
        rows: of the training set.
        customers: each has an observation every week, in every view.
        weeks: of history.
        views: feature views.
        features: of each view; every third is a whole number, one in ten values is null.
        ttl_days: of each view.
    """

    rows: int
    customers: int
    weeks: int
    views: int
    features: int
    ttl_days: int


class Limits(NamedTuple):
    """At which a way is stopped: seconds for all its reads of one size, and memory of its process."""

    seconds: float
    memory_gb: float


def main() -> int:
    """Run the benchmark, keep its result, print a line per way and size.

    Returns:
        0; 1 if two ways disagree.
    """
    arguments = _arguments()
    size = Size(*(getattr(arguments, name) for name in Size._fields))
    limits = Limits(arguments.time_limit, arguments.memory_limit)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        prepare(Path(folder), size)
        tried = benchmark(Path(folder), size, limits, repeats=arguments.repeats)
    machine.write("point_in_time_at_scale", machine.facts() | size._asdict() | limits._asdict() | {"tried": tried})
    return 1 if any(run.get("mismatches") for run in tried) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Size(1_000_000, 20_000, 104, 4, 15, 365)._asdict().items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help=f"default: {default:,}")
    parser.add_argument("--repeats", type=int, default=3, help="timed reads, after one to warm up (default: 3)")
    parser.add_argument("--time-limit", type=float, default=900, help="seconds per way and size (default: 900)")
    parser.add_argument("--memory-limit", type=float, default=8, help="GB per way (default: 8)")
    parser.add_argument("--folder", type=Path, help="for the tables; needs 1 GB (default: the system's temporary one)")
    return parser.parse_args()


def benchmark(folder: Path, size: Size, limits: Limits, *, repeats: int) -> list[dict[str, Any]]:
    """One entry per size and way, in the order in which they were tried."""
    tried: list[dict[str, Any]] = []
    given_up: set[str] = set()
    for rows in sorted({max(1, size.rows // share) for share in SHARES}):
        for way in WAYS:
            if way not in given_up:
                run = watched(folder, way, size._replace(rows=rows), limits, repeats=repeats)
                given_up |= {way} if "stopped" in run else set()
                run |= compared(folder, way, rows) if way != WAYS[0] and "stopped" not in run else {}
                tried.append({"way": way, "rows": rows} | run)
                print(", ".join(f"{name} {value}" for name, value in tried[-1].items()), flush=True)
    return tried


def compared(folder: Path, way: str, rows: int) -> dict[str, int]:
    """Cells compared with feast_lake's, and how many differ; nothing if feast_lake did not answer."""
    ours, theirs = (folder / f"{each}.{rows}.parquet" for each in (WAYS[0], way))
    if not ours.exists():
        return {}
    cells, mismatches = differing_cells(pq.read_table(ours), pq.read_table(theirs), keys=["number"])
    return {"cells": cells, "mismatches": mismatches}


# One way, in a process that is watched


def watched(folder: Path, way: str, size: Size, limits: Limits, *, repeats: int) -> dict[str, Any]:
    """Read in a process of its own; stop it at the limits.

    Returns:
        Median and all seconds and the peak of memory; or why it was stopped.
    """
    receiver, sender = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_reads, args=(sender, folder, way, size, repeats), daemon=True)
    process.start()
    sender.close()
    try:
        return _watch(process.pid, receiver, limits)
    finally:
        process.kill()
        process.join()


def _watch(pid: int | None, receiver: Connection, limits: Limits) -> dict[str, Any]:
    until, peak = monotonic() + limits.seconds, 0.0
    while not receiver.poll(0.05):
        try:
            peak = max(peak, psutil.Process(pid).memory_info().rss / GB)
        except psutil.NoSuchProcess:
            return {"stopped": "it died", "peak_gb": round(peak, 2)}
        if monotonic() > until or peak > limits.memory_gb:
            return {"stopped": f"memory {peak:.1f} GB" if peak > limits.memory_gb else f"{limits.seconds:.0f} s"}
    try:
        answer = receiver.recv()
    except EOFError:
        return {"stopped": "it died", "peak_gb": round(peak, 2)}
    return answer if "stopped" in answer else answer | {"peak_gb": round(peak, 2)}


def _reads(sender: Connection, folder: Path, way: str, size: Size, repeats: int) -> None:
    # ibis, below Feast's own store, calls what DuckDB 1.5 deprecates.
    warnings.simplefilter("ignore")
    try:
        read = floor_reader(folder, size) if way == "floor" else store_reader(folder, way, size)
        pq.write_table(read(), folder / f"{way}.{size.rows}.parquet")
        seconds = [_seconds(read) for _ in range(repeats)]
    except Exception as error:
        sender.send({"stopped": f"{type(error).__name__}: {error}".splitlines()[0]})
    else:
        sender.send({"median_seconds": round(median(seconds), 3), "seconds": [round(each, 3) for each in seconds]})


def _seconds(read: Read) -> float:
    start = perf_counter()
    read()
    return perf_counter() - start


def store_reader(folder: Path, way: str, size: Size) -> Read:
    """A store's answer to the first rows of the training set."""
    store = feature_store(folder, way, size)
    asked = pd.read_parquet(folder / "asked.parquet", filters=[("number", "<", size.rows)])
    features = [f"view_{view}:{name}" for view in range(size.views) for name in feature_names(size, view)]
    # Feast's own store writes into the frame that it is given.
    return lambda: store.get_historical_features(asked.copy(), features).to_arrow()


def floor_reader(folder: Path, size: Size) -> Read:
    """DuckDB alone, on the Parquet files."""
    joins, columns = [], []
    for view in range(size.views):
        alive = f"asked.event_timestamp <= v{view}.observed_at + to_days({size.ttl_days})"
        columns += [f"case when {alive} then v{view}.{name} end as {name}" for name in feature_names(size, view)]
        joins.append(
            f"asof left join '{folder}/view_{view}.parquet' as v{view} on asked.customer_id = v{view}.customer_id "
            f"and asked.event_timestamp >= v{view}.observed_at"
        )
    rows = f"(from '{folder}/asked.parquet' where number < {size.rows})"
    statement = f"select asked.*, {', '.join(columns)} from {rows} as asked {' '.join(joins)}"

    def read() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("set asof_loop_join_threshold = 0; set enable_progress_bar = false")
            return connection.execute(statement).to_arrow_table()

    return read


# The tables


def feature_names(size: Size, view: int) -> list[str]:
    return [f"f{view}_{number}" for number in range(size.features)]


def prepare(folder: Path, size: Size) -> None:
    """Make the lake, the Parquet files of its tables, the training set, and both stores' registries."""
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner; set enable_progress_bar = false")
        connection.execute(f"attach 'ducklake:sqlite:{folder}/catalog.sqlite' as lake (data_path '{folder}/data')")
        for view in range(size.views):
            connection.execute(f"create table lake.view_{view} as {_observations(size, view)}")
            connection.execute(f"copy lake.view_{view} to '{folder}/view_{view}.parquet' (format parquet)")
        second = f"hash('second' || number) % {size.weeks * 7 * 24 * 3600}"
        connection.execute(
            f"""
            copy (
                select number, 'c' || hash(number) % {size.customers} as customer_id,
                    {STARTS_ON} + to_seconds(({second})::bigint) as event_timestamp
                from range({size.rows}) as rows(number)
            ) to '{folder}/asked.parquet' (format parquet)
            """
        )
    for way in ("feast_lake", "feast_duckdb"):
        feature_store(folder, way, size, apply=True)


def _observations(size: Size, view: int) -> str:
    values = ", ".join(_value(view, number, name) for number, name in enumerate(feature_names(size, view)))
    return (
        f"select 'c' || customer as customer_id, {STARTS_ON} + to_days((week * 7)::int) as observed_at, {values} "
        f"from range({size.weeks}) as weeks(week), range({size.customers}) as customers(customer)"
    )


def _value(view: int, number: int, name: str) -> str:
    kind = "bigint" if number % 3 == 0 else "double"
    some = f"hash(customer * 31 + week, {view}, {number}) % 10 > 0"
    return f"case when {some} then (hash(week * 31 + customer, {number}, {view}) % 100000)::{kind} end as {name}"


def feature_store(folder: Path, way: str, size: Size, *, apply: bool = False) -> FeatureStore:
    """A store on the folder's lake or on its Parquet files."""
    ours = {"type": "feast_lake.offline_store.LakeOfflineStore", "catalog": f"sqlite:{folder}/catalog.sqlite"}
    config = RepoConfig(
        project=way,
        provider="local",
        registry={"registry_type": "sql", "path": f"sqlite:///{folder}/{way}.db"},
        offline_store=ours if way == "feast_lake" else {"type": "duckdb"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    if apply:
        customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
        store.apply([customer, *(_view(folder, way, size, view, customer) for view in range(size.views))])
    return store


def _view(folder: Path, way: str, size: Size, view: int, customer: Entity) -> FeatureView:
    source: DataSource = (
        LakeSource(table=f"view_{view}", timestamp_field="observed_at")
        if way == "feast_lake"
        else FileSource(path=f"{folder}/view_{view}.parquet", timestamp_field="observed_at")
    )
    fields = [
        Field(name=name, dtype=Int64 if number % 3 == 0 else Float64)
        for number, name in enumerate(feature_names(size, view))
    ]
    return FeatureView(
        name=f"view_{view}",
        entities=[customer],
        ttl=timedelta(days=size.ttl_days),
        schema=[Field(name="customer_id", dtype=String), *fields],
        source=source,
    )


if __name__ == "__main__":
    sys.exit(main())
