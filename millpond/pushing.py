"""Recorded events into the online store: as they come, and again where a publishing took them back."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from feast import FeatureStore
from feast.data_source import PushMode
from filelock import FileLock

import feast_lake
from millpond import settings
from millpond.event_kinds import INVOICES, KINDS, LINES, Kind

AHEAD = timedelta(seconds=1)
"""By how much the stamp of an event lies after a row that was published for a date to come."""


def push(kind: str, tables: dict[str, pa.Table], store: FeatureStore) -> tuple[int, Counter[str]]:
    """Push the newest event of each customer, where it is newer than what is online.

    Args:
        tables: raw table → recorded rows of it.

    Returns:
        Customers whose features changed, and how many other events wait for the next build, by reason.
    """
    newest, waiting = _newest(KINDS[kind], tables)
    (settings.home() / "online").mkdir(exist_ok=True)
    # Between looking at what is online and pushing nobody else records.
    with FileLock(settings.home() / "online" / "recording.lock"):
        rows = _newer_than_online(store, KINDS[kind], newest)
        if len(rows):
            store.push(kind, rows, to=PushMode.ONLINE)
    waiting["not newer than what is online"] = len(newest) - len(rows)
    return len(rows), waiting


def push_again(view: str, store: FeatureStore, *, as_of: date) -> int:
    """Push what was recorded for a view and the lake does not know; to be called when the view was published.

    These are events of files that no build has read, and those recorded on the as-of date or later.

    Args:
        as_of: the date that the lake was built for.

    Returns:
        Customers whose features changed; 0 for a view that no event refreshes.
    """
    count = 0
    for name, kind in KINDS.items():
        if kind.view == view and (files := _unknown_files(kind, as_of)):
            count += push(name, _recorded(kind, files), store)[0]
    return count


def _unknown_files(kind: Kind, as_of: date) -> list[Path]:
    files = sorted((settings.raw_folder() / kind.table).glob("recorded-*.parquet"))
    if not files:
        return []
    base = f"staging.base_{kind.table.replace('/', '__')}"
    query = f"select distinct _file from {base} where _file like '{kind.table}/recorded-%'"
    with feast_lake.reader(settings.catalog_address(), settings.data_path()) as connection:
        read = {row[0] for row in connection.execute(query).fetchall()}
    # A file is named after the moment of recording.
    first = f"recorded-{as_of:%Y%m%d}"
    return [file for file in files if file.name >= first or f"{kind.table}/{file.name}" not in read]


def _recorded(kind: Kind, files: list[Path]) -> dict[str, pa.Table]:
    """The rows of these files that are of a kind; of invoices also their lines, in files of the same names."""
    with duckdb.connect() as connection:
        rows = connection.read_parquet([str(file) for file in files], union_by_name=True)
        if kind.event_type:
            rows = rows.filter(f"event_type = '{kind.event_type}'")
        tables = {kind.table: rows.to_arrow_table()}
        if kind.table == INVOICES:
            lines = [str(settings.raw_folder() / LINES / file.name) for file in files]
            tables[LINES] = connection.read_parquet(lines, union_by_name=True).to_arrow_table()
    return tables


def _newest(kind: Kind, tables: dict[str, pa.Table]) -> tuple[pd.DataFrame, Counter[str]]:
    """The newest event of each customer that counts, to the second, and how many others wait, by reason."""
    # Kept open by this process, for opening a lake takes longer than asking it.
    with feast_lake.reader(settings.catalog_address(), settings.data_path()) as connection:
        connection.register("recorded", tables[kind.table])
        if LINES in tables:
            connection.register("lines", tables[LINES])
        found = connection.execute(kind.found).df()
    known = found.dropna(subset="customer_id")
    waiting = Counter(
        {
            "no purchase": tables[kind.table].num_rows - len(found),
            "of no customer that the lake knows": len(found) - len(known),
        }
    )
    newest = known.sort_values(["event_at", "known_at"]).drop_duplicates("customer_id", keep="last", ignore_index=True)
    # As Feast keeps them: to the second.
    return newest.assign(**{name: newest[name].dt.floor("s") for name in ("event_at", "known_at")}), waiting


def _newer_than_online(store: FeatureStore, kind: Kind, newest: pd.DataFrame) -> pd.DataFrame:
    """Rows to push: those with a later event than the one that is online.

    A row that is pushed is stamped with the time of its event. Where the event was before the day of its recording, or
    the online row bears a later stamp, the stamp is the moment of recording: else the store would take the event for an
    old one, now or when today is published without knowing it. Where the online row is of a date to come, the stamp is
    a second after it: the store takes it, and nobody takes it for what the lake holds of that date.
    """
    if newest.empty:
        return newest
    customers = [{"customer_id": customer} for customer in newest["customer_id"]]
    online = store.get_online_features([f"{kind.view}:{kind.feature}"], customers).to_dict(True)
    held = pd.to_datetime(pd.Series(online[kind.feature]), utc=True).dt.tz_localize(None)
    stamped = pd.to_datetime(pd.Series(online[f"{kind.feature}__ts"]), unit="s")
    recorded = newest["known_at"]
    after = stamped.where(stamped != stamped.dt.normalize(), stamped + AHEAD)
    late = recorded.where(stamped <= recorded, after)
    in_time = (newest["event_at"] > stamped) & (newest["event_at"] > recorded.dt.normalize())
    stamp = newest["event_at"].where(in_time, late)
    rows = pd.DataFrame(
        {"customer_id": newest["customer_id"], kind.feature: newest["event_at"], "observation_date": stamp}
    )
    return rows[held.isna() | (newest["event_at"] > held)]
