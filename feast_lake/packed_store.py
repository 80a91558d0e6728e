"""What the online stores of feast_lake share: one row per key and view, with all of the view's values in it.

Feast's own stores keep a row per feature. One row is written, compared and read many times faster; `online_read` makes
Feast's values of it, so that `feast serve` and every other tool of Feast read the same.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, NamedTuple

import pyarrow as pa
from feast import Entity, FeatureView
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import RepoConfig
from feast.value_type import ValueType

from feast_lake import wire
from feast_lake.errors import LakeError

Row = tuple[bytes, int, str]
"""Entity key, seconds since 1970 UTC, values as JSON."""


class Kept(NamedTuple):
    """Where the rows of a view are.

    Attributes:
        layout: hash of the view's features, their order and types: rows are read only under the same.
    """

    project: str
    view: str
    layout: str


class Packed(NamedTuple):
    """All values of one key in one view.

    Attributes:
        event_ts: when the values held, seconds since 1970 UTC.
        values: in the order of the view's features, as in JSON; see `wire.decoder`.
    """

    event_ts: int
    values: list[Any]

    @classmethod
    def of(cls, event_ts: int, packed: str | bytes) -> Packed:
        return cls(event_ts, json.loads(packed))


class Replaced(NamedTuple):
    """What a publishing did to one view: keys and values that it published, keys removed."""

    keys: int
    values: int
    removed: int


def layout(view: FeatureView) -> str:
    """Short hash of a view's features, their order and types."""
    return md5(",".join(f"{field.name} {field.dtype}" for field in view.features).encode()).hexdigest()[:12]


def kept(config: RepoConfig, view: FeatureView) -> Kept:
    """Where a view is kept. Hold it: it takes longer than a read."""
    name = compute_versioned_name(view, config.registry.enable_online_feature_view_versioning)
    return Kept(config.project, name, layout(view))


def kinds(view: FeatureView) -> list[ValueType]:
    """The types of a view's features.

    Raises:
        LakeError: one that is not kept online.
    """
    found = [field.dtype.to_value_type() for field in view.features]
    for field, kind in zip(view.features, found, strict=True):
        if kind not in wire.KINDS:
            raise LakeError(f"{view.name}: feature {field.name} is a {kind.name}, which is not kept online; cast it")
    return found


class PackedStore(OnlineStore):
    """An online store in which a value makes way for an older one only where it was published, and is so no longer."""

    # Each version of a view is kept under its own name.
    _versioned_read_supported = True

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make room for views, and remove those that left the repository."""
        for view in tables_to_keep:
            self._create(config, kept(config, view))
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Remove views with all their rows."""
        for view in tables:
            self._drop(config, kept(config, view))

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKeyProto, dict[str, ValueProto], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows, each unless a newer one is there; of equal age the one that comes later counts.

        A feature that is not given is null.

        Raises:
            LakeError: a type that is not kept online.
        """
        kinds(table)
        names = [field.name for field in table.features]
        rows = [
            (wire.key_bytes(key), seconds(event_at), wire.json_of(values.get(name) for name in names))
            for key, values, event_at, _ in data
        ]
        self._write(config, kept(config, table), rows)
        if progress:
            progress(len(rows))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKeyProto],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, ValueProto] | None]]:
        """The values of keys and when they held; (None, None) for a key that is not there."""
        [found] = self.read_packed(config, [(kept(config, table), [wire.key_bytes(key) for key in entity_keys])])
        readers = [
            (place, field.name, wire.to_proto(kind))
            for place, (field, kind) in enumerate(zip(table.features, kinds(table), strict=True))
            if requested_features is None or field.name in requested_features
        ]
        return [
            (None, None)
            if packed is None
            else (
                datetime.fromtimestamp(packed.event_ts, UTC),
                {name: read(packed.values[place]) for place, name, read in readers},
            )
            for packed in found
        ]

    def replace_published(
        self,
        config: RepoConfig,
        table: FeatureView,
        batches: Iterable[pa.RecordBatch],
        *,
        end: datetime,
        mark: str = "",
    ) -> Replaced:
        """Make a view hold these rows and what was pushed for a time after `end`, nothing else.

        What the last publishing with a later `end` brought goes too, as far as that end: the lake went back.

        Args:
            batches: the view's join keys, each under its name, `event_ts` (seconds) and `packed` (see Row). At most one
                row per key.
            end: newest timestamp that the rows may have; up to it they are all that there is.
            mark: kept beside the view for `published_mark`.
        """
        types = {column.name: column.dtype.to_value_type() for column in table.entity_columns}
        rows = (_rows(batch, types) for batch in batches)
        keys, removed = self._replace(config, kept(config, table), rows, end=seconds(end), mark=mark)
        return Replaced(keys, keys * len(table.features), removed)

    @abstractmethod
    def read_packed(
        self, config: RepoConfig, wanted: Sequence[tuple[Kept, Sequence[bytes]]]
    ) -> list[list[Packed | None]]:
        """The values of keys, view by view, in the order asked; None: not there, or of another layout."""

    @abstractmethod
    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None:
        """What the newest whole publishing of a view was marked with; None: there was none."""

    @abstractmethod
    def count_published(self, config: RepoConfig, view: FeatureView) -> int:
        """Keys of a view that are online."""

    @abstractmethod
    def _create(self, config: RepoConfig, view: Kept) -> None: ...

    @abstractmethod
    def _drop(self, config: RepoConfig, view: Kept) -> None:
        """Remove the rows of a view and its mark."""

    @abstractmethod
    def _write(self, config: RepoConfig, view: Kept, rows: list[Row]) -> None: ...

    @abstractmethod
    def _replace(
        self, config: RepoConfig, view: Kept, batches: Iterator[list[Row]], *, end: int, mark: str
    ) -> tuple[int, int]:
        """As `replace_published`; counts of keys published and removed."""


def seconds(moment: datetime) -> int:
    """Since 1970; a moment without zone is UTC."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _rows(batch: pa.RecordBatch, types: Mapping[str, ValueType]) -> list[Row]:
    values = zip(*(batch[name].to_pylist() for name in types), strict=True)
    keys = wire.entity_keys(values, list(types), list(types.values()))
    return list(zip(keys, batch["event_ts"].to_pylist(), batch["packed"].to_pylist(), strict=True))
