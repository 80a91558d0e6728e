"""From the lake into the online store: the same values as Feast's materialize, in rows that DuckDB writes whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
from feast import FeatureStore, FeatureView
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL

from feast_lake.connection import identifier, literal
from feast_lake.contract import checked_key_types
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake
from feast_lake.packed_store import PackedStore, Replaced, kinds
from feast_lake.ranges import latest_rows
from feast_lake.view_read import ViewRead
from feast_lake.views import view_reads
from feast_lake.wire import in_json

_ROWS_PER_BATCH = 10_000


def online_store(store: FeatureStore) -> PackedStore:
    """The online store behind a feature store; the same object in each call, for it holds the connection.

    Raises:
        LakeError: it is of another kind.
    """
    found = store._get_provider().online_store
    if not isinstance(found, PackedStore):
        raise LakeError(f"The online store is a {type(found).__name__}; publishing needs one of feast_lake")
    return found


def publish_view(
    store: FeatureStore,
    view: FeatureView,
    *,
    start: datetime,
    end: datetime,
    mark: str = "",
) -> Replaced:
    """Make the online store hold the newest row of each key from start to end, both inclusive.

    All that was there for a time up to `end` makes way, newer rows that the lake no longer has included; what was
    pushed for a later time stays. Where the last publishing had a later end, that one counts: what it brought goes too.

    Args:
        end: up to when the lake is complete, such as the moment that it was built for.
        mark: what `published_mark` will say of this view, such as the lake's snapshot.

    Raises:
        LakeError: a view that is not in the lake or no longer what was applied, or a lake or store of another kind.
    """
    sink = online_store(store)
    with explained(f"publish {view.name}"):
        batches = _batches(Lake.of(store.config), view, start=start, end=end)
        replaced = sink.replace_published(store.config, view, batches, end=end, mark=mark)
    store.registry.apply_materialization(view, store.project, start, end)
    return replaced


def _batches(lake: Lake, view: FeatureView, *, start: datetime, end: datetime) -> Iterator[pa.RecordBatch]:
    [read] = view_reads([view], [f"{view.name}:{field.name}" for field in view.features]).values()
    with lake.read() as connection:
        # One transaction, so that what is read is what was checked, whoever builds meanwhile.
        connection.begin()
        checked_key_types(connection, [read])
        yield from connection.execute(_statement(view, read, start=start, end=end)).to_arrow_reader(_ROWS_PER_BATCH)


def _statement(view: FeatureView, read: ViewRead, *, start: datetime, end: datetime) -> str:
    by_column = replace(read, keys=_by_column(read.keys), features=_by_column(read.features))
    values = zip(read.features.values(), kinds(view), strict=True)
    packed = ", ".join(in_json(identifier(column), kind) for column, kind in values)
    keys = [f"{identifier(column)} as {identifier(name)}" for name, column in read.keys.items()]
    keys = keys or [f"{literal(DUMMY_ENTITY_VAL)} as {identifier(DUMMY_ENTITY_ID)}"]
    # As the store sorts its keys, which begin with their lengths, so that its tree grows at its end.
    order = ", ".join(f"strlen({identifier(name)}::varchar), {identifier(name)}" for name in sorted(read.keys)) or "1"
    return (
        f"select {', '.join(keys)}, trunc(epoch({identifier(read.timestamp)}::timestamp))::bigint as event_ts, "
        f"json_array({packed})::varchar as packed "
        f"from ({latest_rows(by_column, start=start, end=end)}) order by {order}"
    )


def _by_column(column_of: dict[str, str]) -> dict[str, str]:
    return {column: column for column in column_of.values()}
