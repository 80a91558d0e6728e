"""Features of every customer on every observation date, in Millpond's SQL and in other libraries.

millpond        the models customer_purchases and customer_rhythm as dbt compiles them, in DuckDB
polars          every observation joined with every purchase day before it, then grouped
pandas          the same
featuretools    the same definitions as primitives, with cutoff times and training windows
polars_running  running sums by hand, read off by as-of joins: the least work that could do. Holds only what can be
                subtracted, and no row may be late or corrected

22 features: purchase days and amounts in seven windows and ever, recency, tenure and gaps; by default of 20,000
customers on 104 weekly dates. The ways are tried at a thousandth, a hundredth, a tenth and a third of the customers and
at all, smallest first; one that is stopped at the time or the memory limit is not tried with more. Every way has a
process of its own; reading its input is not timed, which to each is the purchase days and the days between them (in
Millpond's lake a table that grows with each build). Its first answer is compared with Millpond's cell by cell, and one
that differs means exit code 1. The result goes to benchmarks/results/features.json.

Beside the project's own packages this needs `pip install polars featuretools`.
"""

import argparse
import sys
import tempfile
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import duckdb
import machine
from features_data import FEATURES, KEYS, Size, prepare
from features_ways import WAYS, reader
from watching import Limits, watched

SHARES = (1000, 100, 10, 3, 1)
PEERS = ("polars", "featuretools")


def main() -> int:
    """Run the benchmark, keep its result, print a line per way and size.

    Returns:
        0; 1 if two ways disagree; 2 if a library is not installed.
    """
    arguments = _arguments()
    try:
        peers = {package: version(package) for package in PEERS}
    except PackageNotFoundError as missing:
        print(f"{missing.name} is not installed: run `pip install {' '.join(PEERS)}` first", file=sys.stderr)
        return 2
    size, limits = Size(arguments.customers, arguments.weeks), Limits(arguments.time_limit, arguments.memory_limit)
    facts = machine.facts()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        prepare(Path(folder), size)
        tried = benchmark(Path(folder), size, limits, repeats=arguments.repeats)
    facts["versions"] |= peers
    machine.write("features", facts | size._asdict() | limits._asdict() | {"features": FEATURES, "tried": tried})
    return 1 if any(run.get("mismatches") for run in tried) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000, help="default: 20,000")
    parser.add_argument("--weeks", type=int, default=104, help="of history, each with an observation (default: 104)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs, after one to warm up (default: 3)")
    parser.add_argument("--time-limit", type=float, default=900, help="seconds per way and size (default: 900)")
    parser.add_argument("--memory-limit", type=float, default=8, help="GB per way (default: 8)")
    parser.add_argument("--folder", type=Path, help="for the data (default: the system's temporary one)")
    return parser.parse_args()


def benchmark(folder: Path, size: Size, limits: Limits, *, repeats: int) -> list[dict[str, Any]]:
    """One entry per size and way, in the order in which they were tried."""
    tried: list[dict[str, Any]] = []
    given_up: set[str] = set()
    for customers in sorted({max(1, size.customers // share) for share in SHARES}):
        for way in (way for way in WAYS if way not in given_up):
            answer = folder / f"{way}.{customers}.parquet"
            run = watched(
                partial(reader, folder, way, size._replace(customers=customers)), answer, limits, repeats=repeats
            )
            given_up |= {way} if "stopped" in run else set()
            run |= compared(folder / f"{WAYS[0]}.{customers}.parquet", answer) if way != WAYS[0] else {}
            tried.append({"way": way, "customers": customers, "observations": customers * size.weeks} | run)
            print(", ".join(f"{name} {value}" for name, value in tried[-1].items()), flush=True)
    return tried


def compared(one: Path, other: Path) -> dict[str, int]:
    """Cells that two answers have, and how many of them differ; nothing if one of them is missing.

    Equal means: both null, or the same number up to a millionth, for sums of floats depend on their order. Of a row
    that only one of them has, the cells that are not null differ.
    """
    if not (one.exists() and other.exists()):
        return {}
    differing = " + ".join(
        f"count(*) filter (coalesce(abs(one.{name} - other.{name}) > 1e-6 * greatest(1, abs(one.{name})),"
        f" (one.{name} is null) != (other.{name} is null)))"
        for name in FEATURES
    )
    joined = f"'{one}' as one full join '{other}' as other using ({', '.join(KEYS)})"
    cells, mismatches = duckdb.execute(f"select count(*) * {len(FEATURES)}, {differing} from {joined}").fetchall()[0]
    return {"cells": cells, "mismatches": mismatches}


if __name__ == "__main__":
    sys.exit(main())
