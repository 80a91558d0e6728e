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
from functools import partial
from pathlib import Path
from typing import Any

import machine
import pyarrow.parquet as pq
from point_in_time import differing_cells
from point_in_time_at_scale_ways import WAYS, Size, prepare, reader
from watching import Limits, watched

SHARES = (100, 30, 10, 3, 1)


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
                opened = partial(reader, folder, way, size._replace(rows=rows))
                run = watched(opened, folder / f"{way}.{rows}.parquet", limits, repeats=repeats)
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


if __name__ == "__main__":
    sys.exit(main())
