"""Rows handed over by a program, checked against the raw contract and typed as it says."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

import duckdb
import jsonschema
import pyarrow as pa

from millpond import contract
from millpond.errors import BadEvent

Row = dict[str, Any]

# A value as text, in the type of its column. A time without zone is UTC.
CASTS = {
    "ts": "timezone('UTC', cast({0} as timestamp with time zone))",
    "date": "cast({0} as date)",
    "boolean": "cast({0} as boolean)",
    "double": "cast({0} as double)",
    "money": "cast({0} as decimal(18, 4))",
    "bigint": "cast({0} as bigint)",
}
KNOWN_AT = "known_at"


@cache
def table_schema(table: str) -> dict[str, Any]:
    """The contract of one raw table, such as `invoices/lines`, as JSON Schema."""
    found: dict[str, Any] = contract.schema()["$defs"][table.replace("/", ".")]
    return found


def typed(table: str, rows: Sequence[Row], *, known_at: datetime) -> pa.Table:
    """Rows as the raw contract types them, all known at the same moment.

    Args:
        table: of the contract, such as `invoices/lines`.
        rows: columns of the table; absent and null are the same.
        known_at: when they reached us, UTC.

    Raises:
        BadEvent: the first fault: a column that is missing, unknown or of another type, or a time after `known_at`.
    """
    columns = table_schema(table)["properties"]
    words = [name for name, column in columns.items() if column.get("x-any-case")]
    plain = [{name: _plain(value, is_word=name in words) for name, value in row.items()} for row in rows]
    for place, row in enumerate(plain, start=1):
        if fault := _fault(table, {name: value for name, value in row.items() if value is not None}):
            raise BadEvent(
                f"row {place} of {table}: {fault}: mend it (docs/raw_contract.md) and record all again; "
                "nothing was recorded"
            )
    as_text = pa.table({name: pa.array([_text(row.get(name)) for row in plain], pa.string()) for name in columns})
    found = _cast(table, as_text.set_column(as_text.column_names.index(KNOWN_AT), KNOWN_AT, _times(known_at, plain)))
    _check_times(table, found)
    return found


def _times(known_at: datetime, rows: Sequence[Row]) -> pa.Array:
    return pa.array([known_at.isoformat()] * len(rows), pa.string())


def _plain(value: Any, *, is_word: bool) -> Any:
    """A value as JSON has it: times as text, numpy's scalars as Python's, NaN and NaT as null; words in lower case."""
    if is_word and isinstance(value, str):
        return value.strip().lower()
    if isinstance(value, (list, dict, str)) or value is None:
        return value
    if value != value:
        return None
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _fault(table: str, row: Row) -> str | None:
    """What the contract says against a row; None: nothing."""
    schema = table_schema(table)
    if KNOWN_AT in row:
        return "known_at is the moment of recording: leave it out"
    expected = [name for name in schema["properties"] if name != KNOWN_AT]
    if unknown := [name for name in row if name not in expected]:
        return f"unknown column {unknown[0]}; expected some of {', '.join(expected)}"
    if missing := [name for name in schema["required"] if name not in row]:
        return f"{missing[0]} is missing"
    for error in jsonschema.Draft202012Validator(schema).iter_errors(row):
        column = schema["properties"][error.path[0]]
        wanted = f"one of {', '.join(filter(None, column['enum']))}" if "enum" in column else f"a {column['x-type']}"
        return f"{error.path[0]} is {error.instance!r}; expected {wanted}"
    return None


def _cast(table: str, rows: pa.Table) -> pa.Table:
    columns = table_schema(table)["properties"]
    casts = [f"{CASTS.get(column['x-type'], 'trim({0})').format(name)} as {name}" for name, column in columns.items()]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("as_text", rows)
        try:
            return connection.execute(f"select {', '.join(casts)} from as_text").to_arrow_table()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise BadEvent(f"a row of {table} is not of its types: {reason}; nothing was recorded") from None


def _check_times(table: str, rows: pa.Table) -> None:
    event_at = table_schema(table)["x-event-at"]
    if event_at is None:
        return
    for place, (happened, known) in enumerate(
        zip(rows[event_at].to_pylist(), rows[KNOWN_AT].to_pylist(), strict=True), start=1
    ):
        if happened > known:
            raise BadEvent(
                f"row {place} of {table}: {event_at} is {happened}, after {known}, the moment of recording: "
                "record what has happened, with its time in UTC; nothing was recorded"
            )
