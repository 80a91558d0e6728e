"""Recording what just happened: it lands in raw, then refreshes the customer's online features at once."""

import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore
from feast.data_source import PushMode
from filelock import FileLock

import feast_lake
from millpond import erasure, features, lake, settings
from millpond.errors import BadEvent
from millpond.raw_rows import Row, table_schema, typed

INVOICES, LINES = "invoices/invoices", "invoices/lines"
EVENTS, VISITS = "communications/events", "communications/visits"


class Kind(NamedTuple):
    """One kind of event: where it lands, and which view it refreshes.

    Attributes:
        table: raw table of the event.
        view, feature: the feature view and its one feature, the moment of the newest event.
        found: SQL of customer_id (null: unknown) and event_at of the events that count, from `recorded`.
        event_type: what the rows of communications/events of this kind say.
    """

    table: str
    view: str
    feature: str
    found: str
    event_type: str | None = None


OF_MESSAGES = """
select messages.customer_id, recorded.occurred_at as event_at
from recorded
left join lake.marts.messages as messages using (source_system, message_id)
"""

OF_VISITS = """
select keys.customer_id, recorded.visited_at as event_at
from recorded
left join lake.marts.customer_keys as keys using (source_system, customer_key)
"""

# As in features.last_purchase: an invoice counts that nets to more than 0 or holds a line of unknown amount.
OF_PURCHASES = """
select keys.customer_id, recorded.invoiced_at as event_at
from recorded
left join lake.marts.customer_keys as keys using (source_system, customer_key)
where
    coalesce(recorded.invoice_type, 'invoice') = 'invoice'
    and (source_system, invoice_id) in (
        select (source_system, invoice_id) from lines
        group by source_system, invoice_id
        having sum(net_amount) > 0 or bool_or(net_amount is null and quantity > 0)
    )
"""

KINDS = {
    "purchase": Kind(INVOICES, "last_purchase", "last_purchase_at", OF_PURCHASES),
    "click": Kind(EVENTS, "last_click", "last_click_at", OF_MESSAGES, "clicked"),
    "visit": Kind(VISITS, "last_visit", "last_visit_at", OF_VISITS),
    "unsubscribe": Kind(EVENTS, "last_unsubscribe", "last_unsubscribe_at", OF_MESSAGES, "unsubscribed"),
}


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
        pushed, waiting = _push(kind, tables, store, moment)
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
    if not len(row["lines"]):
        raise BadEvent(f"invoice {keys['invoice_id']} has no lines: hand over what was bought; nothing was recorded")
    return invoice, [keys | line for line in row["lines"]]


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


def _push(
    kind: str, tables: dict[str, pa.Table], store: FeatureStore | None, moment: datetime
) -> tuple[int, dict[str, int]]:
    """Customers whose features were refreshed, and why other events wait."""
    count = tables[KINDS[kind].table].num_rows
    if not lake.exists():
        return 0, {"no lake was built": count}
    newest, waiting = _newest(KINDS[kind], tables)
    store = store or features.store()
    if kind not in {source.name for source in store.list_data_sources(allow_cache=True)}:
        return 0, {"no features were published": count}
    (settings.home() / "online").mkdir(exist_ok=True)
    # Between looking at what is online and pushing nobody else records.
    with FileLock(settings.home() / "online" / "recording.lock"):
        rows = _newer_than_online(store, KINDS[kind], newest, moment)
        if len(rows):
            store.push(kind, rows, to=PushMode.ONLINE)
    waiting["not newer than what is online"] = len(newest) - len(rows)
    return len(rows), {reason: events for reason, events in waiting.items() if events}


def _newest(kind: Kind, tables: dict[str, pa.Table]) -> tuple[pd.DataFrame, Counter[str]]:
    """The newest event of each customer that counts (customer_id, event_at), and how many others wait, by reason."""
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
    newest = known.groupby("customer_id", as_index=False)["event_at"].max()
    # As Feast keeps them: to the second.
    return newest.assign(event_at=newest["event_at"].dt.floor("s")), waiting


def _newer_than_online(store: FeatureStore, kind: Kind, newest: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    """Rows to push: those with a later event than the one that is online.

    A row that is pushed is stamped with the time of its event. Where the event was before today, or the online row
    bears a later stamp, because it was published for a later date, the stamp is the moment of recording or that of the
    online row: else the store would take the event for an old one, now or when today is published without knowing it.
    """
    if newest.empty:
        return newest
    customers = [{"customer_id": customer} for customer in newest["customer_id"]]
    online = store.get_online_features([f"{kind.view}:{kind.feature}"], customers).to_dict(True)
    held = pd.to_datetime(pd.Series(online[kind.feature]), utc=True).dt.tz_localize(None)
    stamped = pd.to_datetime(pd.Series(online[f"{kind.feature}__ts"]), unit="s")
    now = pd.Series(pd.Timestamp(moment).tz_localize(None).floor("s"), index=stamped.index)
    late = stamped.where(stamped > now, now)
    in_time = (newest["event_at"] > stamped) & (newest["event_at"] > now.dt.normalize())
    stamp = newest["event_at"].where(in_time, late)
    rows = pd.DataFrame(
        {"customer_id": newest["customer_id"], kind.feature: newest["event_at"], "observation_date": stamp}
    )
    return rows[held.isna() | (newest["event_at"] > held)]
