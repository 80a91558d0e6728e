"""Landing a world with known truth (docs/synthetic.md): SQL draws it, month by month, at any size."""

import shutil
import tempfile
from pathlib import Path
from string import Template

import duckdb

from millpond import lake, settings
from millpond.landing import move_into_raw, quoted, raw_folders

ADAPTER = settings.PROJECT / "adapters" / "synthetic"
TRUTHS = ("persons", "purchase_process", "calendar", "message_truth")
SHORTEST_DAYS = 60


def land(*, customers: int, seed: int, days: int, has_dirt: bool, wait_seconds: float = 0) -> dict[str, int]:
    """Write raw files of a made-up world, and beside them its truth; a world landed before is replaced.

    Args:
        customers: persons, at least 1.
        seed: the same seed gives the same rows.
        days: length of the world, at least SHORTEST_DAYS; day 0 is 2023-01-01.
        has_dirt: True adds rows of every kind that the raw contract rejects.
        wait_seconds: how long to wait for another writer.

    Returns:
        Rows landed per raw table.
    """
    with lake.writing(wait_seconds), tempfile.TemporaryDirectory(prefix="landing-", dir=settings.home()) as folder:
        raw, truth = Path(folder) / "raw", Path(folder) / "truth"
        raw_folders(raw)
        for table in TRUTHS:
            (truth / table).mkdir(parents=True)
        values: dict[str, str | int] = {
            "raw": quoted(raw),
            "truth": quoted(truth),
            "customers": customers,
            "seed": seed,
            "days": days,
        }
        _draw(values, spill_in=Path(folder) / "spill", has_dirt=has_dirt)
        target = settings.home() / "truth" / "synthetic"
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(truth, target)
        settings.raw_folder().mkdir(exist_ok=True)
        shutil.move(raw / "exchange_rates.csv", settings.raw_folder() / "exchange_rates.csv")
        return move_into_raw(raw, "synthetic")


def _draw(values: dict[str, str | int], *, spill_in: Path, has_dirt: bool) -> None:
    with duckdb.connect(config={"temp_directory": str(spill_in)}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        _run(connection, "once", values)
        # The months are known once the people are.
        for (month,) in connection.execute("select month from months order by month").fetchall():
            _run(connection, "monthly", {**values, "month": month})
        if has_dirt:
            _run(connection, "dirt", values)


def _run(connection: duckdb.DuckDBPyConnection, folder: str, values: dict[str, str | int]) -> None:
    for file in sorted((ADAPTER / folder).glob("*.sql")):
        connection.execute(Template(file.read_text()).substitute(values))
