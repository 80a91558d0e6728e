"""Features of customers for applications: the newest values online, in one call, with what is missing or too old."""

import asyncio
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from feast import FeatureService, FeatureStore, FeatureView
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.types import from_feast_to_pyarrow_type

from feast_lake import wire
from feast_lake.packed_store import Kept, Packed, kept
from feast_lake.publishing import online_store
from millpond import features, publishing
from millpond.errors import UnknownFeatures
from millpond.serving_log import ServingLog

Key = str | Mapping[str, str]
Decoder = Callable[[Any], Any] | None


@dataclass(frozen=True)
class FeatureVector:
    """The features of one customer (or other key) at one moment.

    Attributes:
        key: join key → value.
        values: feature → value; None: not known, or too old, or computed on demand from what is too old.
        is_known: whether any view has this key online.
        stale: views whose values were older than their ttl; theirs are None, as in a training set.
        observed_at: view → the moment its values held; views without this key are left out.
    """

    key: Mapping[str, str]
    values: Mapping[str, Any]
    is_known: bool
    stale: tuple[str, ...] = ()
    observed_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class _View:
    """What to read of one view: where it is kept, and places in its packed values."""

    view: FeatureView
    kept: Kept
    keys: tuple[str, ...]
    places: tuple[tuple[str, int, Decoder], ...]  # feature, place, what makes Python's value of JSON's

    @property
    def ttl(self) -> timedelta | None:
        return self.view.ttl or None


class Reader:
    """The features of one service. Opening one takes a second; hold it, and call it from any thread.

    Args:
        service: name of a feature service, such as `customer_360`.
        is_logged: keep what is served, for `millpond audit`; call `close()` at the end, or use it in `with`.
        store: a feature store; default: that of this home.

    Raises:
        NotBuilt: nothing was published.
        UnknownFeatures: no such service; names those that there are.
    """

    def __init__(self, service: str, *, is_logged: bool = False, store: FeatureStore | None = None) -> None:
        self._store = store or features.published_store()
        self._service = features.service(self._store, service)
        self._views = list(_views(self._store, self._service))
        self._on_demand = list(_on_demand(self._store, self._service))
        self._online = online_store(self._store)
        self.join_keys = tuple(dict.fromkeys(name for view in self._views for name in view.keys))
        self.feature_names = tuple(
            feature.name for projection in self._service.feature_view_projections for feature in projection.features
        )
        self._log = ServingLog(service, self._types()) if is_logged else None
        self.warm_up()

    def _types(self) -> dict[str, pa.DataType]:
        return dict.fromkeys(self.join_keys, pa.string()) | {
            feature.name: from_feast_to_pyarrow_type(feature.dtype)
            for projection in self._service.feature_view_projections
            for feature in projection.features
        }

    def warm_up(self) -> None:
        """Read once, then take what is loaded out of the garbage collector's sight: it would stop reads for it."""
        self.read([dict.fromkeys(self.join_keys, "")])
        gc.collect()
        gc.freeze()

    def read(self, keys: Sequence[Key], *, at: datetime | None = None, **request: Any) -> list[FeatureVector]:
        """Features of keys, in their order.

        Args:
            keys: customer ids, or mappings with each of `join_keys`.
            at: the moment of the request, UTC where it has no zone; default: now.
            request: what on-demand views ask for, the same for all keys; `request_time` is `at` unless given.

        Raises:
            UnknownFeatures: a key lacks a join key, or is no text; keys that are one text; `at` or `request_time` is no
                datetime; a view was published with other features than when this reader was opened.
        """
        if isinstance(keys, str):
            raise UnknownFeatures(f"keys are the text {keys!r}; give a list of keys, such as [{keys!r}]")
        moment = at or datetime.now(UTC)
        for name, value in {"at": moment, "request_time": request.get("request_time") or moment}.items():
            if not isinstance(value, datetime):
                raise UnknownFeatures(f"{name} is {value!r}; expected a datetime")
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        rows = [self._key(key) for key in keys]
        if not rows:
            return []
        # The warm-up asks for nobody.
        is_asked = any(any(row.values()) for row in rows)
        if self._on_demand:
            vectors = self._read_through_feast(rows, moment, {"request_time": moment} | request)
        else:
            vectors = self._read_packed(rows, moment, is_checked=is_asked)
        if self._log and is_asked:
            self._log.add(vectors, moment)
        return vectors

    async def read_async(
        self, keys: Sequence[Key], *, at: datetime | None = None, **request: Any
    ) -> list[FeatureVector]:
        """As `read`, without holding up an event loop."""
        return await asyncio.to_thread(self.read, keys, at=at, **request)

    def close(self) -> None:
        """Write what is still to be logged."""
        if self._log:
            self._log.flush()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _key(self, key: Key) -> dict[str, str]:
        row = {self.join_keys[0]: key} if isinstance(key, str) and len(self.join_keys) == 1 else key
        if not isinstance(row, Mapping) or not all(isinstance(row.get(name), str) for name in self.join_keys):
            raise UnknownFeatures(
                f"key {key!r}: {self._service.name} is read by {', '.join(self.join_keys)}; give each of them, as text"
            )
        return {name: row[name] for name in self.join_keys}

    def _read_packed(self, rows: list[dict[str, str]], moment: datetime, *, is_checked: bool) -> list[FeatureVector]:
        wanted = [
            (view.kept, wire.entity_keys(([row[name] for name in view.keys] for row in rows), view.keys))
            for view in self._views
        ]
        found = self._online.read_packed(self._store.config, wanted)
        for view, packed in zip(self._views, found, strict=True):
            if is_checked and not any(packed):
                self._require_same_features(view)
        return [self._vector(row, [one[place] for one in found], moment) for place, row in enumerate(rows)]

    def _require_same_features(self, view: _View) -> None:
        """Values of other features than those known here are not read: they would be missing, and nobody told why."""
        mark = self._online.published_mark(self._store.config, view.view)
        if mark and publishing.layout_of(mark) not in ("", view.kept.layout):
            raise UnknownFeatures(
                f"{view.view.name} was published with other features than this reader knows: open the reader again; if "
                "that does not help, run `millpond publish`"
            )

    def _vector(self, row: dict[str, str], found: list[Packed | None], moment: datetime) -> FeatureVector:
        values: dict[str, Any] = {}
        observed_at, stale = {}, []
        for view, packed in zip(self._views, found, strict=True):
            is_stale = False
            if packed is not None:
                observed_at[view.view.name] = datetime.fromtimestamp(packed.event_ts, UTC)
                is_stale = view.ttl is not None and moment - observed_at[view.view.name] > view.ttl
            if is_stale:
                stale.append(view.view.name)
            held = None if packed is None or is_stale else packed.values
            for name, place, decode in view.places:
                value = None if held is None else held[place]
                values[name] = decode(value) if decode and value is not None else value
        return FeatureVector(row, values, bool(observed_at), tuple(stale), observed_at)

    def _read_through_feast(
        self, rows: list[dict[str, str]], moment: datetime, request: dict[str, Any]
    ) -> list[FeatureVector]:
        response = self._store.get_online_features(features=self._service, entity_rows=[row | request for row in rows])
        return [self._vector_of(response, place, row, moment) for place, row in enumerate(rows)]

    def _vector_of(self, response: OnlineResponse, place: int, row: dict[str, str], moment: datetime) -> FeatureVector:
        served = dict(zip(response.proto.metadata.feature_names.val, response.proto.results, strict=True))
        values = {name: wire.python_value(served[name].values[place]) for name in self.feature_names}
        observed_at, stale = {}, []
        for view in self._views:
            names = [name for name, _, _ in view.places]
            statuses = [served[name].statuses[place] for name in names]
            if FieldStatus.NOT_FOUND not in statuses:
                observed_at[view.view.name] = served[names[0]].event_timestamps[place].ToDatetime(UTC)
                if view.ttl is not None and moment - observed_at[view.view.name] > view.ttl:
                    stale.append(view.view.name)
                    values |= dict.fromkeys(names)
        # Computed from what was too old.
        for computed, sources in self._on_demand:
            values |= dict.fromkeys(computed if sources.intersection(stale) else ())
        return FeatureVector(row, values, bool(observed_at), tuple(stale), observed_at)


def _on_demand(store: FeatureStore, service: FeatureService) -> Iterator[tuple[list[str], set[str]]]:
    """Features that a service computes when it is asked, view by view, and the views that they are computed from."""
    computed = {view.name: view for view in store.list_on_demand_feature_views()}
    for projection in service.feature_view_projections:
        if projection.name in computed:
            sources = computed[projection.name].source_feature_view_projections
            yield [feature.name for feature in projection.features], set(sources)


def _views(store: FeatureStore, service: FeatureService) -> Iterator[_View]:
    """The views of a service that are stored; on-demand views are not."""
    stored = {view.name: view for view in store.list_feature_views()}
    for projection in service.feature_view_projections:
        if projection.name in stored:
            view = stored[projection.name]
            order = {feature.name: place for place, feature in enumerate(view.features)}
            places = tuple(
                (feature.name, order[feature.name], wire.decoder(feature.dtype.to_value_type()))
                for feature in projection.features
            )
            keys = tuple(column.name for column in view.entity_columns)
            yield _View(view, kept(store.config, view), keys, places)
