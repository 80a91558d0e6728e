"""The SQL of reads between two times, as text: of all rows, of the newest of each key, of keys and timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from feast_lake.connection import identifier, literal
from feast_lake.view_read import ViewRead, greatest


def rows_between(views: Sequence[ViewRead], *, start: datetime, end: datetime) -> str:
    """Entity rows for a read without entities: each key and timestamp that a view has there.

    Start and end are inclusive. A view that lacks another one's key gives null for it.
    """
    every = []
    for view in views:
        columns = ", ".join([_in_utc(view.timestamp, name="event_timestamp"), *view.named_keys])
        between = _between(view.timestamp, start=start, end=end)
        every.append(f"select {columns} from {view.relation} as source where {between}")
    return f"select distinct * from ({' union all by name '.join(every)}) order by all"


def latest_rows(view: ViewRead, *, start: datetime, end: datetime) -> str:
    """The newest row of each key with a timestamp from start to end, both inclusive; ties as in historical reads."""
    keys = ", ".join(map(identifier, view.keys))
    newest = greatest(map(identifier, [*filter(None, (view.timestamp, view.created)), *view.ranks]))
    partition = f"partition by {keys} " if keys else ""
    return f"{all_rows(view, start=start, end=end)}\nqualify row_number() over ({partition}order by {newest}) = 1"


def all_rows(view: ViewRead, *, start: datetime | None, end: datetime | None) -> str:
    """All rows with a timestamp from start to end, both inclusive; timestamps come in UTC.

    A view without features gives all columns of its source.
    """
    timestamps = [name for name in (view.timestamp, view.created) if name]
    in_utc = [_in_utc(name, name=name) for name in timestamps]
    values = [name for name in dict.fromkeys([*view.keys, *view.features]) if name not in timestamps]
    columns = [*map(identifier, values), *in_utc] if view.features else [f"* replace ({', '.join(in_utc)})"]
    return (
        f"select {', '.join(columns)}\nfrom {view.relation} as source\n"
        f"where {_between(view.timestamp, start=start, end=end)}"
    )


def _in_utc(column: str, *, name: str) -> str:
    return f"cast({identifier(column)} as timestamptz) as {identifier(name)}"


def _between(timestamp: str, *, start: datetime | None, end: datetime | None) -> str:
    at = f"cast({identifier(timestamp)} as timestamp)"
    bounds = [f"{at} {sign} {_moment(bound)}" for sign, bound in ((">=", start), ("<=", end)) if bound]
    return " and ".join(bounds) or "true"


def _moment(moment: datetime) -> str:
    in_utc = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return f"timestamp {literal(in_utc.isoformat(sep=' '))}"
