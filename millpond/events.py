"""Recording what just happened: it lands in raw, then refreshes the customer's online features at once."""

import os
import tempfile
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore

from millpond import erasure, features, lake, pushing, settings
from millpond.errors import BadEvent
from millpond.event_kinds import INVOICES, KINDS, LINES, Kind
from millpond.raw_rows import Row, table_schema, typed


class Recorded(NamedTuple):
    """What became of events.

    Attributes:
        landed: events that lie in raw; the next build reads them.
        pushed: customers whose online features changed.
        waiting: reason → events that change nothing online, and wait for the next build.
    """

    landed: int
    pushed: int
    waiting: dict[str, int]


def record(
    kind: str,
    events: Sequence[Row] | pd.DataFrame,
    *,
    store: FeatureStore | None = None,
    known_at: datetime | None = None,
) -> Recorded:
    """Land events as raw files, then push the newest of each customer online.

    Raw comes first: whatever happens then, the next build and publishing show the events, and recording the same
    events again is harmless.

    Args:
        kind: purchase, click, visit or unsubscribe.
        events: rows of the raw contract (docs/real_time.md). A purchase is an invoice with its `lines`, a list, or
            several rows, one per line, that repeat their invoice.
        store: of this home; hold one where events come often, for opening it takes a while.
        known_at: the moment of recording, UTC; default: now.

    Raises:
        BadEvent: a kind or a row that the contract does not know; nothing was written.
        DiskFull: what did not land whole is not there.
    """
    if kind not in KINDS:
        raise BadEvent(f"unknown kind of event {kind!r}: choose one of {', '.join(KINDS)}")
    moment = known_at or datetime.now(UTC)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    rows = cast("list[Row]", events.to_dict("records")) if isinstance(events, pd.DataFrame) else list(events)
    if not all(isinstance(row, dict) for row in rows):
        raise BadEvent("events are no rows: give a list of dicts, or a data frame; nothing was recorded")
    tables = {table: typed(table, part, known_at=moment) for table, part in _by_table(KINDS[kind], rows).items()}
    recorded = tables[KINDS[kind].table]
    if recorded.num_rows == 0:
        return Recorded(0, 0, {})
    with lake.full_disk_in_one_line():
        _land(tables, moment)
        pushed, waiting = _refresh(kind, tables, store)
    return Recorded(recorded.num_rows, pushed, waiting)


def _by_table(kind: Kind, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows per raw table. Lines come first: a build never sees an invoice without them."""
    if kind.table == INVOICES:
        invoices: list[Row] = []
        lines: list[Row] = []
        for row in rows:
            invoice, its_lines = _unfolded(row)
            lines += its_lines
            invoices += [invoice] if invoice not in invoices[-1:] else []
        return {LINES: lines, INVOICES: invoices}
    return {kind.table: [_of_type(kind.event_type, row) for row in rows]}


def _unfolded(row: Row) -> tuple[Row, list[Row]]:
    """An invoice and its lines, from a row that nests them or one that is both."""
    keys = {name: row.get(name) for name in ("source_system", "invoice_id")}
    if "lines" not in row:
        of_line = [name for name in row if name in table_schema(LINES)["properties"] and name != "known_at"]
        return {name: row[name] for name in row if name in keys or name not in of_line}, [
            {name: row[name] for name in of_line}
        ]
    invoice = {name: value for name, value in row.items() if name != "lines"}
    lines = [] if row["lines"] is None else row["lines"]
    if not pd.api.types.is_list_like(lines) or not all(isinstance(line, dict) for line in lines):
        raise BadEvent(
            f"lines of invoice {keys['invoice_id']} are {lines!r}; expected a list of rows of {LINES}; "
            "nothing was recorded"
        )
    if not len(lines):
        raise BadEvent(f"invoice {keys['invoice_id']} has no lines: hand over what was bought; nothing was recorded")
    return invoice, [keys | line for line in lines]


def _of_type(event_type: str | None, row: Row) -> Row:
    if event_type is None:
        return row
    if row.get("event_type") not in (None, event_type):
        raise BadEvent(
            f"event_type is {row['event_type']!r}; expected {event_type!r} or none: record others as their own kind; "
            "nothing was recorded"
        )
    return row | {"event_type": event_type}


def _land(tables: dict[str, pa.Table], moment: datetime) -> None:
    """Write one new file per table: whole or not at all, under a name that no other has."""
    name = f"recorded-{moment:%Y%m%dT%H%M%S%fZ}-{uuid.uuid4().hex[:12]}.parquet"
    settings.home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="recording-", dir=settings.home()) as folder:
        staged = {table: Path(folder) / table / name for table in tables}
        for table, file in staged.items():
            file.parent.mkdir(parents=True)
            pq.write_table(tables[table], file)
        # Whom somebody erased does not come back with an event.
        erasure.forget_landed(Path(folder))
        for table, file in staged.items():
            (settings.raw_folder() / table).mkdir(parents=True, exist_ok=True)
            os.replace(file, settings.raw_folder() / table / name)


def _refresh(kind: str, tables: dict[str, pa.Table], store: FeatureStore | None) -> tuple[int, dict[str, int]]:
    """Customers whose features were refreshed, and why other events wait."""
    count = tables[KINDS[kind].table].num_rows
    if not lake.exists():
        return 0, {"no lake was built": count}
    store = store or features.store()
    if kind not in {source.name for source in store.list_data_sources(allow_cache=True)}:
        return 0, {"no features were published": count}
    pushed, waiting = pushing.push(kind, tables, store)
    return pushed, {reason: events for reason, events in waiting.items() if events}
