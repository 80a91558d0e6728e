"""From the lake into the online store, column by column: the same values as Feast's materialize, many times faster."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
from feast import FeatureStore, FeatureView
from feast.value_type import ValueType

from feast_lake.connection import identifier
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake
from feast_lake.offline_store import LakeOfflineStore
from feast_lake.online_store import PublishingStore, Replaced
from feast_lake.source import LakeSource

_ROWS_PER_BATCH = 10_000


def online_store(store: FeatureStore) -> PublishingStore:
    """The online store behind a feature store; the same object in each call, for it holds the connection.

    Raises:
        LakeError: it is of another kind.
    """
    found = store._get_provider().online_store
    if not isinstance(found, PublishingStore):
        raise LakeError(f"The online store is a {type(found).__name__}; publishing needs one of feast_lake")
    return found


def publish_view(store: FeatureStore, view: FeatureView, *, start: datetime, end: datetime, mark: str = "") -> Replaced:
    """Make the online store hold the newest row of each key from start to end, both inclusive.

    Keys that have no such row vanish online, unless something newer than `end` was pushed. All in one transaction.

    Args:
        mark: what `published_mark` will say of this view, such as the lake's snapshot.

    Raises:
        LakeError: a view that is not in the lake, or a lake or store of another kind.
    """
    sink = online_store(store)
    with explained(f"publish {view.name}"):
        replaced = sink.replace_published(
            store.config, view, _batches(store, view, start=start, end=end), end=end, mark=mark
        )
    store.registry.apply_materialization(view, store.project, start, end)
    return replaced


def _batches(store: FeatureStore, view: FeatureView, *, start: datetime, end: datetime) -> Iterator[pa.RecordBatch]:
    with Lake.of(store.config).read() as connection:
        yield from connection.execute(_statement(store, view, start=start, end=end)).to_arrow_reader(_ROWS_PER_BATCH)


def _statement(store: FeatureStore, view: FeatureView, *, start: datetime, end: datetime) -> str:
    source = view.batch_source
    if not isinstance(source, LakeSource):
        raise LakeError(f"{view.name} is not in the lake: its source is a {type(source).__name__}")
    column_of = {feature: column for column, feature in source.field_mapping.items()}
    columns = {field.name: column_of.get(field.name, field.name) for field in view.features}
    keys = [column.name for column in view.entity_columns]
    newest = LakeOfflineStore.pull_latest_from_table_or_query(
        store.config,
        data_source=source,
        join_key_columns=keys,
        feature_name_columns=list(columns.values()),
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        start_date=start,
        end_date=end,
    ).to_sql()
    packed = ", ".join(
        _in_json(identifier(columns[field.name]), field.dtype.to_value_type()) for field in view.features
    )
    named = [f"{identifier(column)} as {identifier(name)}" for name, column in columns.items()]
    selected = ", ".join([*map(identifier, keys), *named, identifier(source.timestamp_field)])
    # In the order of the keys, so that the store's tree grows at its end.
    order = ", ".join(map(identifier, keys))
    return f"select {selected}, json_array({packed})::varchar as packed from ({newest}) order by {order}"


def _in_json(column: str, kind: ValueType) -> str:
    """SQL: a value as readers take it: seconds since 1970, and NaN as null, as Feast has it."""
    match kind:
        case ValueType.UNIX_TIMESTAMP:
            return f"epoch({column}::timestamp)::bigint"
        case ValueType.DOUBLE | ValueType.FLOAT:
            return f"nullif({column}, 'nan')"
        case _:
            return column
