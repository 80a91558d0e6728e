"""Point-in-time features of one home, in three ways, on the same rows and views.

feast_lake    this project's offline store, reading the lake
feast_duckdb  Feast's own DuckDB offline store, reading Parquet exports of the same feature tables
floor         one hand-written ASOF statement in DuckDB on those Parquet files, without Feast

Four cases are read:

training_rows              buyers on the training dates up to the built as-of date, service repurchase_timing
message_rows               messages when they were sent, service response_propensity; skipped where there are none
every_observation          every observation that the lake holds, service repurchase_timing
training_rows_without_ttl  the training rows, but the views have no ttl: a row of any age will do

Each way runs in a process of its own: one read to warm up, whose peak memory is kept, then timed reads,
the ways taking turns. The others' answers are compared with feast_lake's cell by cell; one that differs
means exit code 1.

The home (MILLPOND_HOME, by default .millpond) must be built and published, for example with
`millpond land complete_journey && millpond run`. The result goes to benchmarks/results/point_in_time.json.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import machine
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from point_in_time_ways import WAYS, Case, Measured, batch_source, measure, register, service_views

from millpond import features, lake, pipeline, settings
from millpond.errors import NotBuilt, UserError
from training import dataset, offers, training_rows
from training.dataset import REPURCHASE_TIMING, RESPONSE_PROPENSITY
from training.training_rows import EVENT_TIMESTAMP

CASES = (
    Case("training_rows", REPURCHASE_TIMING, has_ttl=True),
    Case("message_rows", RESPONSE_PROPENSITY, has_ttl=True),
    Case("every_observation", REPURCHASE_TIMING, has_ttl=True),
    Case("training_rows_without_ttl", REPURCHASE_TIMING, has_ttl=False),
)


def main() -> int:
    """Run the benchmark, keep its result, print the ratios.

    Returns:
        0; 1 if two ways disagree; the error's own code if the home is not ready.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="timed reads of each way (default: 5)")
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = benchmark(Path(folder), repeats=parser.parse_args().repeats)
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    machine.write("point_in_time", result)
    for name, case in result["cases"].items():
        ratios = ", ".join(f"{name} {ratio}" for name, ratio in case["ratios"].items())
        print(f"{name}, {case['rows']:,} rows: {ratios}")
    for name, reason in result["skipped"].items():
        print(f"{name}: skipped, {reason}")
    print(f"{result['cells_compared']:,} cells compared, {result['mismatches']:,} differ")
    return 1 if result["mismatches"] else 0


def benchmark(folder: Path, *, repeats: int) -> dict[str, Any]:
    """Everything that the result file holds.

    Args:
        folder: an empty one for exports, answers and repositories.

    Raises:
        NotBuilt: the home has no lake, or its features were not published.
    """
    facts = machine.facts()
    views = prepare(folder)
    rows = {case.name: pq.read_metadata(folder / f"{case.name}.parquet").num_rows for case in CASES}
    cases = {
        case.name: _result(folder, case, views=views[case.service], repeats=repeats)
        for case in CASES
        if rows[case.name]
    }
    exported = {name for names in views.values() for name in names}
    return {
        **facts,
        "view_rows": {name: pq.read_metadata(folder / f"{name}.parquet").num_rows for name in sorted(exported)},
        "cases": cases,
        "skipped": {name: "the home has no such rows" for name, number in rows.items() if not number},
        "cells_compared": sum(case["cells_compared"] for case in cases.values()),
        "mismatches": sum(case["mismatches"] for case in cases.values()),
    }


def _result(folder: Path, case: Case, *, views: Sequence[str], repeats: int) -> dict[str, Any]:
    measured = measure(folder, case, repeats=repeats)
    compared = [compare(folder, case, WAYS[0], other) for other in WAYS[1:]]
    asked = pq.read_metadata(folder / f"{case.name}.parquet")
    return {
        "rows": asked.num_rows,
        "service": case.service,
        "views": list(views),
        "features": pq.read_metadata(folder / f"{case.name}.{WAYS[0]}.parquet").num_columns - asked.num_columns,
        "has_ttl": case.has_ttl,
        "load_average": round(os.getloadavg()[0], 2),
        "ways": {way: _way(run) for way, run in measured.items()},
        "ratios": ratios({way: run.seconds for way, run in measured.items()}),
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


def _way(run: Measured) -> dict[str, Any]:
    return {
        "best_seconds": round(min(run.seconds), 3),
        "median_seconds": round(median(run.seconds), 3),
        "seconds": [round(seconds, 3) for seconds in run.seconds],
        "start_memory_mb": round(run.start_mb),
        "peak_memory_mb": round(run.peak_mb),
    }


# Preparing


def prepare(folder: Path) -> dict[str, list[str]]:
    """Export feature tables and rows to Parquet, and register them in the ways' repositories.

    Returns:
        Service → names of its views.

    Raises:
        NotBuilt: the home has no lake, or its features were not published.
    """
    as_of = pipeline.built_as_of()
    if not (settings.home() / "registry.db").exists():
        raise NotBuilt(f"the features in {settings.home()} are not registered: run `millpond publish` first")
    services = sorted({case.service for case in CASES})
    views = {service: service_views(features.store(), service) for service in services}
    tables = {view.name: batch_source(view).table for its_views in views.values() for view in its_views}
    with lake.connect() as connection:
        for name, table in tables.items():
            connection.execute(f"copy (from {table}) to '{folder}/{name}.parquet' (format parquet)")
        for case in CASES:
            _rows(connection, case, as_of).to_parquet(folder / f"{case.name}.parquet", index=False)
    register(folder, services)
    return {service: [view.name for view in its_views] for service, its_views in views.items()}


def _rows(connection: duckdb.DuckDBPyConnection, case: Case, as_of: date) -> pd.DataFrame:
    if case.service == RESPONSE_PROPENSITY:
        return dataset.messages(connection, sent_from=None, cut=as_of)[list(offers.KEYS)]
    if case.name == "every_observation":
        return connection.execute(
            """
            select customer_id, cast(observation_date as timestamp) as event_timestamp
            from features.customer_rhythm
            order by observation_date, customer_id
            """
        ).df()
    dates = training_rows.training_dates(training_rows.observation_dates(connection), as_of)
    return training_rows.buyers(connection, dates)


# Comparing


def compare(folder: Path, case: Case, one: str, other: str) -> tuple[int, int]:
    """Cells that two ways' answers have, and how many of them differ."""
    keys = pq.read_schema(folder / f"{case.name}.parquet").names
    answers = (pq.read_table(folder / f"{case.name}.{way}.parquet") for way in (one, other))
    return differing_cells(*answers, keys=keys)


def differing_cells(one: pa.Table, other: pa.Table, *, keys: Sequence[str]) -> tuple[int, int]:
    """Compare two answers cell by cell; rows are brought into the order of their keys.

    Equal means: both null, or the same value (floats exactly).

    Returns:
        Cells compared, and how many of them differ.

    Raises:
        ValueError: not the same columns, or not the same number of rows.
    """
    if sorted(one.column_names) != sorted(other.column_names) or one.num_rows != other.num_rows:
        raise ValueError(f"answers of {one.shape} and {other.shape}, or of other columns, cannot be compared")
    one, other = (_by_key(table, keys) for table in (one, other))
    differing = sum(_differing(one[name], other[name]) for name in one.column_names)
    return one.num_rows * one.num_columns, differing


def _by_key(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    # The stores differ in zone and unit of the timestamp, not in what it means.
    number = table.schema.get_field_index(EVENT_TIMESTAMP)
    moments = table[EVENT_TIMESTAMP].cast(pa.timestamp("us", "UTC"))
    return table.set_column(number, EVENT_TIMESTAMP, moments).sort_by([(key, "ascending") for key in keys])


def _differing(one: pa.ChunkedArray, other: pa.ChunkedArray) -> int:
    unequal = pc.not_equal(one, other.cast(one.type))
    only_one_is_null = pc.xor(pc.is_null(one), pc.is_null(other))
    return int(pc.sum(pc.coalesce(unequal, only_one_is_null)).as_py() or 0)


if __name__ == "__main__":
    sys.exit(main())
