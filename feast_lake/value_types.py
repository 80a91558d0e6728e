"""Which DuckDB type becomes which Feast type."""

from __future__ import annotations

from feast.value_type import ValueType

from feast_lake.errors import LakeError

_SCALARS = {
    "BIGINT": ValueType.INT64,
    "BLOB": ValueType.BYTES,
    "BOOLEAN": ValueType.BOOL,
    "DATE": ValueType.UNIX_TIMESTAMP,
    "DOUBLE": ValueType.DOUBLE,
    "FLOAT": ValueType.FLOAT,
    "INTEGER": ValueType.INT32,
    "SMALLINT": ValueType.INT32,
    "TIMESTAMP": ValueType.UNIX_TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": ValueType.UNIX_TIMESTAMP,
    "TIMESTAMP_MS": ValueType.UNIX_TIMESTAMP,
    "TIMESTAMP_NS": ValueType.UNIX_TIMESTAMP,
    "TIMESTAMP_S": ValueType.UNIX_TIMESTAMP,
    "TINYINT": ValueType.INT32,
    "UINTEGER": ValueType.INT64,
    "USMALLINT": ValueType.INT32,
    "UTINYINT": ValueType.INT32,
    "VARCHAR": ValueType.STRING,
}


def value_type(duckdb_type: str) -> ValueType:
    """Feast's type for a column of a DuckDB type such as `BIGINT` or `DOUBLE[]`.

    Raises:
        LakeError: the type has no counterpart, or (DECIMAL, HUGEINT, UBIGINT) would lose digits
            without anybody noticing; the message says what to cast to.
    """
    kind = duckdb_type.upper()
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind.endswith("]"):
        element = value_type(duckdb_type[: duckdb_type.rindex("[")])
        if element in _SCALARS.values():
            return ValueType[f"{element.name}_LIST"]
    raise LakeError(f"Feast has no type for DuckDB's {duckdb_type}; {_way_out(kind)}")


def _way_out(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "cast the column to double"
    if kind.startswith(("HUGEINT", "UHUGEINT", "UBIGINT")):
        return "cast the column to bigint (sum() of integers gives a hugeint)"
    return "cast the column to double, bigint, boolean, varchar or timestamp"
