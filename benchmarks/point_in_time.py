"""Point-in-time features of all training rows, in three ways, on the same rows and views.

feast_lake    this project's offline store, reading the lake
feast_duckdb  Feast's own DuckDB offline store, reading Parquet exports of the same feature tables
floor         one hand-written ASOF statement in DuckDB on those Parquet files, without Feast

Two sets of rows are read through the service repurchase_timing: the training rows (buyers on the
training dates up to the built as-of date), and every observation that the lake holds. Each way runs
in a process of its own: one read to warm up, whose peak memory is kept, then timed reads. The two
others' answers are compared with feast_lake's cell by cell; one that differs means exit code 1.

The home (MILLPOND_HOME, by default .millpond) must be built and published, for example with
`millpond land complete_journey && millpond run`. The result goes to benchmarks/results/point_in_time.json.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import duckdb
import machine
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from feast import FeatureService, FeatureStore, FeatureView, FileSource

from millpond import features, lake, pipeline, settings
from millpond.errors import NotBuilt, UserError
from training.dataset import EVENT_TIMESTAMP, REPURCHASE_TIMING, buyers, observation_dates, training_dates

WAYS = ("feast_lake", "feast_duckdb", "floor")
ROWS = ("training_rows", "every_observation")
KEYS = ["customer_id", EVENT_TIMESTAMP]
MB = 1e6

Read = Callable[[], pa.Table]


class Measured(NamedTuple):
    """One way of reading one set of rows.

    Attributes:
        seconds: of each timed read, in order.
        start_mb: memory of the process when everything was imported and opened.
        peak_mb: most memory it held until its first read was done.
        load: of the machine, averaged over the last minute, after the last read.
    """

    seconds: list[float]
    start_mb: float
    peak_mb: float
    load: float


def main() -> int:
    """Run the benchmark, keep its result, print the ratios.

    Returns:
        0; 1 if two ways disagree; the error's own code if the home is not ready.
    """
    arguments = _arguments()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = benchmark(Path(folder), repeats=arguments.repeats, feast_repeats=arguments.feast_repeats)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    machine.write("point_in_time", result)
    for rows, ratios in result["ratios"].items():
        print(f"{result['rows'][rows]:,} {rows}: " + ", ".join(f"{name} {ratio}" for name, ratio in ratios.items()))
    print(f"{result['cells_compared']:,} cells compared, {result['mismatches']:,} differ")
    return 1 if result["mismatches"] else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="timed reads of feast_lake and floor (default: 5)")
    parser.add_argument("--feast-repeats", type=int, default=3, help="timed reads of feast_duckdb (default: 3)")
    return parser.parse_args()


def benchmark(folder: Path, *, repeats: int, feast_repeats: int) -> dict[str, Any]:
    """Everything that the result file holds.

    Args:
        folder: an empty one for exports, answers and Feast's own repository.

    Raises:
        NotBuilt: the home has no lake, or its features were not published.
    """
    facts = machine.facts()
    views = prepare(folder)
    times = {"feast_lake": repeats, "feast_duckdb": feast_repeats, "floor": repeats}
    measured = {(rows, way): _in_own_process(folder, rows, way, times[way]) for rows in ROWS for way in WAYS}
    compared = [compare(folder, rows, WAYS[0], other) for rows in ROWS for other in WAYS[1:]]
    return {
        **facts,
        "rows": {rows: pq.read_metadata(folder / f"{rows}.parquet").num_rows for rows in ROWS},
        "features": sum(len(view.features) for view in views),
        "views": {view.name: pq.read_metadata(folder / f"{view.name}.parquet").num_rows for view in views},
        "runs": [_run(rows, way, run) for (rows, way), run in measured.items()],
        "ratios": {rows: ratios({way: measured[rows, way].seconds for way in WAYS}) for rows in ROWS},
        "cells_compared": sum(cells for cells, _ in compared),
        "mismatches": sum(mismatches for _, mismatches in compared),
    }


def ratios(seconds: dict[str, list[float]]) -> dict[str, float]:
    """How many times as long one way takes as another, by the medians and by the best reads."""
    return {
        f"{slow}_over_{fast}{suffix}": round(of(seconds[slow]) / of(seconds[fast]), 2)
        for suffix, of in (("", median), ("_best", min))
        for slow, fast in (("feast_duckdb", "feast_lake"), ("feast_lake", "floor"), ("feast_duckdb", "floor"))
    }


def _run(rows: str, way: str, run: Measured) -> dict[str, Any]:
    return {
        "rows": rows,
        "way": way,
        "best_seconds": round(min(run.seconds), 3),
        "median_seconds": round(median(run.seconds), 3),
        "seconds": [round(seconds, 3) for seconds in run.seconds],
        "start_memory_mb": round(run.start_mb),
        "peak_memory_mb": round(run.peak_mb),
        "load_average": round(run.load, 2),
    }


# Preparing


def prepare(folder: Path) -> list[FeatureView]:
    """Export feature tables and rows to Parquet, and register them in a repository of Feast's own store.

    Returns:
        The views of the service.

    Raises:
        NotBuilt: the home has no lake, or its features were not published.
    """
    as_of = pipeline.built_as_of()
    if not (settings.home() / "registry.db").exists():
        raise NotBuilt(f"the features in {settings.home()} are not registered: run `millpond publish` first")
    views = _views(features.store())
    with lake.connect() as connection:
        for view in views:
            _export(connection, f"select * from {view.batch_source.table}", folder / f"{view.name}.parquet")
        dates = observation_dates(connection)
        for rows, chosen in zip(ROWS, (training_dates(dates, as_of), None), strict=True):
            frame = buyers(connection, chosen) if chosen else _observations(connection)
            frame.to_parquet(folder / f"{rows}.parquet", index=False)
    _register_in_feasts_own(folder, views)
    return views


def _views(store: FeatureStore) -> list[FeatureView]:
    service = store.get_feature_service(REPURCHASE_TIMING)
    return [store.get_feature_view(projection.name) for projection in service.feature_view_projections]


def _export(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    connection.execute(f"copy ({query}) to '{path}' (format parquet)")


def _observations(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    return connection.execute(
        """
        select customer_id, cast(observation_date as timestamp) as event_timestamp
        from features.customer_rhythm
        order by observation_date, customer_id
        """
    ).df()


def _register_in_feasts_own(folder: Path, views: Sequence[FeatureView]) -> None:
    """The same entities, views and service, on FileSources."""
    (folder / "feature_store.yaml").write_text(
        f"""
        project: feasts_own
        provider: local
        entity_key_serialization_version: 3
        registry: {{registry_type: sql, path: "sqlite:///{folder}/registry.db"}}
        offline_store: {{type: duckdb}}
        online_store: null
        """
    )
    known = features.store()
    entities = [known.get_entity(name) for name in sorted({name for view in views for name in view.entities})]
    of_name = {entity.name: entity for entity in entities}
    own = [
        FeatureView(
            name=view.name,
            entities=[of_name[name] for name in view.entities],
            ttl=view.ttl,
            schema=view.schema,
            source=FileSource(
                path=str(folder / f"{view.name}.parquet"), timestamp_field=view.batch_source.timestamp_field
            ),
        )
        for view in views
    ]
    service = FeatureService(name=REPURCHASE_TIMING, features=list(own))
    FeatureStore(repo_path=str(folder)).apply([*entities, *own, service])


# Measuring, each in a process of its own


def _in_own_process(folder: Path, rows: str, way: str, repeats: int) -> Measured:
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        return process.submit(measure, folder, rows, way, repeats).result()


def measure(folder: Path, rows: str, way: str, repeats: int) -> Measured:
    """Read once to warm up and keep the answer in the folder, then read and time."""
    # ibis, below Feast's own store, calls what DuckDB 1.5 deprecates.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="ibis")
    read = READERS[way](folder, rows)
    start = psutil.Process().memory_info().rss / MB
    answer = read()
    peak = _peak_memory_mb()
    pq.write_table(answer, folder / f"{rows}.{way}.parquet")
    del answer
    return Measured([_seconds(read) for _ in range(repeats)], start, peak, os.getloadavg()[0])


def _seconds(read: Read) -> float:
    start = perf_counter()
    read()
    return perf_counter() - start


def _peak_memory_mb() -> float:
    # getrusage would also count the process that this one was started from.
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")) / MB


def feast_lake_reader(folder: Path, rows: str) -> Read:
    """This project's store, as `training.dataset.service_features` uses it."""
    return _service_reader(features.store(), pd.read_parquet(folder / f"{rows}.parquet"))


def feast_duckdb_reader(folder: Path, rows: str) -> Read:
    """Feast's own DuckDB store."""
    return _service_reader(FeatureStore(repo_path=str(folder)), pd.read_parquet(folder / f"{rows}.parquet"))


def _service_reader(store: FeatureStore, entities: pd.DataFrame) -> Read:
    service = store.get_feature_service(REPURCHASE_TIMING)

    def read() -> pa.Table:
        # Feast's own store writes into the frame that it is given.
        return store.get_historical_features(entity_df=entities.copy(), features=service).to_arrow()

    return read


def floor_reader(folder: Path, rows: str) -> Read:
    """DuckDB alone."""
    statement = floor_statement(folder, rows, _views(FeatureStore(repo_path=str(folder))))

    def read() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("set asof_loop_join_threshold = 0")
            return connection.execute(statement).to_arrow_table()

    return read


def floor_statement(folder: Path, rows: str, views: Sequence[FeatureView]) -> str:
    """Every row with the newest features of each view that its ttl still lets live."""
    joined = [
        f"""
        asof left join '{folder}/{view.name}.parquet' as {view.name}
            on wanted.customer_id = {view.name}.customer_id
            and wanted.event_timestamp >= {view.name}.observation_date
        """
        for view in views
    ]
    living = [
        f"""
        case
            when wanted.event_timestamp <= {view.name}.observation_date + to_days({view.ttl.days})
                then columns({view.name}.* exclude (customer_id, observation_date))
        end
        """
        for view in views
    ]
    return f"select wanted.*, {', '.join(living)} from '{folder}/{rows}.parquet' as wanted {''.join(joined)}"


READERS = {"feast_lake": feast_lake_reader, "feast_duckdb": feast_duckdb_reader, "floor": floor_reader}


# Comparing


def compare(folder: Path, rows: str, one: str, other: str) -> tuple[int, int]:
    """Cells that two ways' answers have, and how many of them differ."""
    return differing_cells(*(pq.read_table(folder / f"{rows}.{way}.parquet") for way in (one, other)))


def differing_cells(one: pa.Table, other: pa.Table) -> tuple[int, int]:
    """Compare two answers cell by cell; rows are brought into the order of their keys.

    Equal means: both null, or the same value (floats exactly).

    Returns:
        Cells compared, and how many of them differ.

    Raises:
        ValueError: not the same columns, or not the same number of rows.
    """
    if sorted(one.column_names) != sorted(other.column_names) or one.num_rows != other.num_rows:
        raise ValueError(f"answers of {one.shape} and {other.shape}, or of other columns, cannot be compared")
    one, other = (_by_key(table) for table in (one, other))
    differing = sum(_differing(one[name], other[name]) for name in one.column_names)
    return one.num_rows * one.num_columns, differing


def _by_key(table: pa.Table) -> pa.Table:
    # The stores differ in zone and unit of the timestamp, not in what it means.
    number = table.schema.get_field_index(EVENT_TIMESTAMP)
    moments = table[EVENT_TIMESTAMP].cast(pa.timestamp("us", "UTC"))
    return table.set_column(number, EVENT_TIMESTAMP, moments).sort_by([(key, "ascending") for key in KEYS])


def _differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    unequal = pc.not_equal(one, other.cast(one.type))
    only_one_is_null = pc.xor(pc.is_null(one), pc.is_null(other))
    return int(pc.sum(pc.coalesce(unequal, only_one_is_null)).as_py() or 0)


if __name__ == "__main__":
    sys.exit(main())
