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

_WHOLE = ("INT32", "INT64")
_REAL = (*_WHOLE, "FLOAT", "DOUBLE")
_STANDS_FOR = {"INT32": _WHOLE, "INT64": _WHOLE, "FLOAT": _REAL, "DOUBLE": _REAL}


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


def fits(declared: ValueType, duckdb_type: str) -> bool:
    """Whether values of a DuckDB type may be answered as the type that Feast was told.

    Widths may differ, and whole numbers may stand for real ones. Feast types that `value_type`
    never gives (maps, structs, JSON, …) are not judged.

    Raises:
        LakeError: as from `value_type`.
    """
    wanted, suffix = declared.name.removesuffix("_LIST"), "_LIST" * declared.name.endswith("_LIST")
    if wanted not in {kind.name for kind in _SCALARS.values()}:
        return True
    found = value_type(duckdb_type).name
    return found in {f"{name}{suffix}" for name in _STANDS_FOR.get(wanted, (wanted,))}


def _way_out(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "cast the column to double"
    if kind.startswith(("HUGEINT", "UHUGEINT", "UBIGINT")):
        return "cast the column to bigint (sum() of integers gives a hugeint)"
    return "cast the column to double, bigint, boolean, varchar or timestamp"
