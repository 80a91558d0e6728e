"""The entity rows of a historical read: a frame, an Arrow table, or SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd
import pyarrow as pa
from duckdb import DuckDBPyConnection

from feast_lake.connection import identifier
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake
from feast_lake.point_in_time import entity_rows

TIMESTAMP = "event_timestamp"
_INPUT = "__lake_entity_input"
_RESERVED = "__lake_"


@dataclass(frozen=True)
class EntityRows:
    """The rows for which features are wanted.

    Attributes:
        relation: stands after FROM: the rows' registered name, or the query in parentheses.
        table: the rows, unless they are a query.
        schema: columns of the rows.
        timestamp: the column that says as of when.
    """

    relation: str
    table: pa.Table | None
    schema: pa.Schema
    timestamp: str

    @staticmethod
    def of(entity_df: pd.DataFrame | pa.Table | str, lake: Lake) -> EntityRows:
        """Take the rows in any of their forms; a frame is not modified.

        Raises:
            LakeError: another type, no timestamp column, two columns of one name, a reserved name, or a
                query that DuckDB refuses.
        """
        if isinstance(entity_df, str):
            # A comment may end the last line.
            relation = f"({entity_df.strip().rstrip(';')}\n)"
            with lake.read() as connection, explained("read the entity rows"):
                # Before DuckDB renames the second of two.
                _check_names([str(row[0]) for row in connection.execute(f"describe {relation}").fetchall()])
                empty = connection.execute(f"select * from {relation} as entity_rows limit 0")
                schema = empty.to_arrow_table().schema
            return EntityRows(relation, None, schema, _timestamp_column(schema))
        table = _as_table(entity_df)
        _check_names(table.schema.names)
        return EntityRows(_INPUT, table, table.schema, _timestamp_column(table.schema))

    @property
    def keys(self) -> list[str]:
        """All columns but the timestamp."""
        return [name for name in self.schema.names if name != self.timestamp]

    def require(self, join_keys: Iterable[str], *, view: str) -> None:
        """Check that the join keys of a view are there.

        Raises:
            LakeError: names the first that is not.
        """
        for key in join_keys:
            if key not in self.schema.names:
                raise LakeError(
                    f"entity_df has no column {key!r}, a join key of {view}; it has {', '.join(self.schema.names)}"
                )

    def load(self, connection: DuckDBPyConnection, *, key_types: dict[str, str]) -> None:
        """Make the table of numbered entity rows that the statement of a read expects.

        Args:
            connection: a lake's.
            key_types: join key → its DuckDB type in the lake.

        Raises:
            LakeError: a key is text on one side and not on the other, or a timestamp
                cannot be understood.
        """
        casts = {}
        for key, kind in key_types.items():
            own = self.schema.field(key).type
            if self._is_empty or pa.types.is_null(own):
                casts[key] = kind
            elif _is_text(own) != (kind == "VARCHAR"):
                raise LakeError(f"Join key {key!r} is {own} in entity_df and {kind} in the lake")
        self._register(connection)
        with explained("take the entity rows"):
            connection.execute(
                entity_rows(rows=self._relation, timestamp=self.timestamp, moment=self._moment, casts=casts)
            )

    def bounds(self, lake: Lake) -> tuple[datetime | None, datetime | None]:
        """The oldest and the newest timestamp, in UTC; None where there are no rows."""
        with (
            lake.read() if self.table is None else duckdb.connect() as connection,
            explained("read the entity rows' timestamps"),
        ):
            connection.execute("SET TimeZone = 'UTC'")
            self._register(connection)
            query = f"select min({self._moment}) as oldest, max({self._moment}) as newest from {self._relation}"
            [row] = connection.execute(query).to_arrow_table().to_pylist()
        return row["oldest"], row["newest"]

    def _register(self, connection: DuckDBPyConnection) -> None:
        if self.table is not None:
            connection.register(_INPUT, self.table)

    @property
    def _is_empty(self) -> bool:
        return self.table is not None and self.table.num_rows == 0

    @property
    def _moment(self) -> str:
        """SQL: the timestamp of a row, in UTC where it has no zone."""
        column = identifier(self.timestamp)
        if _is_text(self.schema.field(self.timestamp).type) and not self._is_empty:
            # DuckDB wants seconds before an offset, ISO 8601 does not.
            column = rf"regexp_replace(cast({column} as varchar), '([T ]\d\d:\d\d)([^:\d])', '\1:00\2')"
        return f"cast({column} as timestamptz)"

    @property
    def _relation(self) -> str:
        # The columns of an empty frame have any type, even one that is no timestamp.
        if not self._is_empty:
            return self.relation
        timestamp = identifier(self.timestamp)
        return f"(select * replace (cast(null as timestamptz) as {timestamp}) from {self.relation})"


def _as_table(entity_df: object) -> pa.Table:
    if isinstance(entity_df, pa.Table):
        return entity_df
    if not isinstance(entity_df, pd.DataFrame):
        raise LakeError(f"entity_df is a {type(entity_df).__name__}; expected a data frame, an Arrow table or SQL")
    try:
        _check_names(list(map(str, entity_df.columns)))
        return pa.Table.from_pandas(entity_df, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise LakeError(f"entity_df has a column of mixed types: {error}") from error


def _check_names(names: list[str]) -> None:
    # DuckDB's names do not tell cases apart: of `Day` and `day` it would read the first for both.
    count_of = Counter(name.lower() for name in names)
    for name in names:
        if count_of[name.lower()] > 1:
            raise LakeError(f"entity_df has {count_of[name.lower()]} columns {name!r}; give each a name of its own")
        if name.lower().startswith(_RESERVED):
            raise LakeError(f"entity_df has a column {name!r}; names with {_RESERVED!r} are taken, rename it")


def _timestamp_column(schema: pa.Schema) -> str:
    if TIMESTAMP in schema.names:
        return TIMESTAMP
    found = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    if len(found) == 1:
        return str(found[0])
    raise LakeError(
        f"entity_df has no column {TIMESTAMP!r} and {len(found)} other timestamp columns; "
        f"name the column that says as of when {TIMESTAMP!r}"
    )


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
