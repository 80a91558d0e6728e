"""A read of the lake that runs when its result is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

import pandas as pd
import pyarrow as pa
from duckdb import DuckDBPyConnection
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.saved_dataset import SavedDatasetStorage

from feast_lake.contract import checked_key_types
from feast_lake.entities import TIMESTAMP, EntityRows
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake
from feast_lake.point_in_time import historical
from feast_lake.source import SavedDatasetLakeStorage
from feast_lake.view_read import ViewRead
from feast_lake.writing import save

_ROWS_PER_BATCH = 50_000


class LakeRetrievalJob(RetrievalJob):
    """One SQL statement on a lake.

    It has a session of its own each time it runs (see `reader`), so jobs may run in any thread.
    """

    def __init__(self, *, lake: Lake, statement: str) -> None:
        super().__init__()
        self._lake = lake
        self._statement = statement

    def to_sql(self) -> str:
        """The statement. A historical read's expects the entity rows in a temporary table."""
        return self._statement

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with self._session() as connection:
            # One chunk: without a batch size, Feast materializes only the first.
            return connection.execute(self._statement).to_arrow_table().combine_chunks()

    @contextmanager
    def _session(self) -> Iterator[DuckDBPyConnection]:
        """A connection on which statements can run, in one transaction.

        So what is read is what was checked, whoever builds meanwhile.
        """
        with self._lake.read() as connection, explained("read the lake"):
            connection.begin()
            self._prepare(connection)
            yield connection

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout=timeout).to_pandas()
        return frame

    def _prepare(self, connection: DuckDBPyConnection) -> None:
        """What the statement needs on its connection."""

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """Save the result, on-demand features included, as a table of the lake.

        Raises:
            SavedDatasetLocationAlreadyExists: the table exists and may not be overwritten.
            LakeError: the storage is not a lake's table, or another writer has the lake.
        """
        if not isinstance(storage, SavedDatasetLakeStorage):
            raise LakeError(f"{type(storage).__name__} is not in the lake; use SavedDatasetLakeStorage")
        if self.on_demand_feature_views or self._lake.is_one_file:
            save(self._lake, table=storage.table, rows=self.to_arrow(), overwrite=allow_overwrite)
            return
        # Batch by batch: the set may be larger than memory.
        with self._session() as connection:
            rows = connection.execute(self._statement).to_arrow_reader(_ROWS_PER_BATCH)
            save(self._lake, table=storage.table, rows=rows, overwrite=allow_overwrite)

    @property
    def full_feature_names(self) -> bool:
        """False: columns bear the source's names."""
        return False

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """None: nothing is computed after the read."""
        return []

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """None: a plain read has no entities."""
        return None


class HistoricalJob(LakeRetrievalJob):
    """Features of entity rows, each as of the row's timestamp."""

    def __init__(
        self,
        *,
        lake: Lake,
        rows: EntityRows,
        views: Sequence[ViewRead],
        feature_refs: list[str],
        on_demand_feature_views: list[OnDemandFeatureView],
        full_feature_names: bool,
    ) -> None:
        super().__init__(lake=lake, statement=historical(views))
        self._rows = rows
        self._views = views
        self._feature_refs = feature_refs
        self._on_demand_feature_views = on_demand_feature_views
        self._full_feature_names = full_feature_names

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        # A view at a time: what its joins have sorted and hashed, DuckDB keeps until the statement ends.
        others = [historical([view], with_entity_rows=False) for view in self._views[1:]]
        with self._session() as connection:
            statements = [historical(self._views[:1]), *others]
            parts = [connection.execute(statement).to_arrow_table() for statement in statements]
        fields = [field for part in parts for field in part.schema]
        return pa.Table.from_arrays([column for part in parts for column in part.columns], schema=pa.schema(fields))

    def _prepare(self, connection: DuckDBPyConnection) -> None:
        self._rows.load(connection, key_types=checked_key_types(connection, self._views))

    def persist(
        self,
        storage: SavedDatasetStorage,
        allow_overwrite: bool = False,
        timeout: int | None = None,
    ) -> None:
        """As of any read; see LakeRetrievalJob.

        Raises:
            LakeError: the rows' time is not `event_timestamp`, the only name under which Feast reads a saved set.
        """
        if self._rows.timestamp != TIMESTAMP:
            raise LakeError(
                f"entity_df has its time in {self._rows.timestamp!r}; to save the set, name it {TIMESTAMP!r}"
            )
        super().persist(storage, allow_overwrite=allow_overwrite, timeout=timeout)

    @property
    def full_feature_names(self) -> bool:
        """Whether a feature's column is `<view>__<feature>` rather than `<feature>`."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes from the result."""
        return self._on_demand_feature_views

    @cached_property
    def _metadata(self) -> RetrievalMetadata:
        oldest, newest = self._rows.bounds(self._lake)
        return RetrievalMetadata(
            features=self._feature_refs,
            keys=self._rows.keys,
            # Without rows any moment will do, but Feast computes with one.
            min_event_timestamp=oldest or datetime.fromtimestamp(0, UTC),
            max_event_timestamp=newest or datetime.fromtimestamp(0, UTC),
        )

    @property
    def metadata(self) -> RetrievalMetadata:
        """References asked for, entity columns, and the range of the timestamps."""
        return self._metadata
