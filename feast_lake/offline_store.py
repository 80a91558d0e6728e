"""Feast's offline store over a DuckLake: one SQL statement per read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL, FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import compute_non_entity_date_range
from pydantic import StrictInt, StrictStr

from feast_lake.checks import check, check_on_demand
from feast_lake.connection import literal
from feast_lake.entities import EntityRows
from feast_lake.errors import LakeError
from feast_lake.lake import Lake
from feast_lake.ranges import all_rows, latest_rows, rows_between
from feast_lake.retrieval import HistoricalJob, LakeRetrievalJob
from feast_lake.source import LakeLoggingDestination, LakeSource, SavedRows
from feast_lake.view_read import ViewRead
from feast_lake.views import view_reads
from feast_lake.writing import append


class LakeOfflineStoreConfig(FeastConfigBaseModel):
    """Settings of the offline store; `${NAME:-default}` is expanded in both paths.

    Attributes:
        catalog: the lake's catalog, `sqlite:<file>` or `postgres:<connection string>`.
        data_path: the lake's data files, if they are not where the catalog says.
        lake_snapshot: read this snapshot rather than the newest; the lake is then read-only.
        memory_limit: what DuckDB may take for a read, such as `4GB`; what is beyond goes onto the
            disk beside the catalog. Default: DuckDB's own, 80 % of the machine's memory.
    """

    type: Literal["feast_lake.offline_store.LakeOfflineStore"] = "feast_lake.offline_store.LakeOfflineStore"
    catalog: StrictStr
    data_path: StrictStr | None = None
    lake_snapshot: StrictInt | None = None
    memory_limit: StrictStr | None = None


class LakeOfflineStore(OfflineStore):
    """Reads feature history as of any moment out of a DuckLake."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | pa.Table | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        filter_by_created_timestamp: bool = False,
    ) -> RetrievalJob:
        """Features of each entity row as of its timestamp, in the order of the rows.

        Args:
            entity_df: a frame, an Arrow table, or SQL that runs inside the lake; with join keys
                and `event_timestamp` (or one single timestamp column). None: one row for each
                key and timestamp that a view has from start_date to end_date, in that order.
            full_feature_names: columns are `<view>__<feature>` rather than `<feature>`.
            filter_by_created_timestamp: use only rows created at or before the row's timestamp.

        Raises:
            LakeError: an unknown feature, a missing column, a view that is not in the lake.
        """
        lake = Lake.of(config)
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        views = view_reads(
            feature_views,
            feature_refs,
            on_demand={view.projection.name_to_use() for view in on_demand},
            full_feature_names=full_feature_names,
            known_by_row=filter_by_created_timestamp,
        )
        if entity_df is None:
            start, end = compute_non_entity_date_range(feature_views, start_date, end_date)
            entity_df = rows_between(list(views.values()), start=start, end=end)
        rows = EntityRows.of(entity_df, lake)
        check(rows, views)
        for view in on_demand:
            check_on_demand(rows, view, feature_refs, full_feature_names=full_feature_names)
        return HistoricalJob(
            lake=lake,
            rows=rows,
            views=list(views.values()),
            feature_refs=feature_refs,
            on_demand_feature_views=on_demand,
            full_feature_names=full_feature_names,
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The newest row of each key from start_date to end_date, both inclusive.

        A date without zone is UTC. Used by materialize with `pull_latest_features: true`.
        """
        source = _lake_source(data_source)
        # Feast looks for this column when a view has no entity.
        dummy = "" if join_key_columns else f"{literal(DUMMY_ENTITY_VAL)} as {DUMMY_ENTITY_ID}"
        read = _pulled(
            source,
            keys=join_key_columns,
            features=feature_name_columns,
            timestamp=timestamp_field,
            created=created_timestamp_column,
        )
        statement = latest_rows(read, start=start_date, end=end_date)
        if dummy:
            statement = f"select *, {dummy} from ({statement})"
        return LakeRetrievalJob(lake=Lake.of(config), statement=statement)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """All rows from start_date to end_date, both inclusive; a date without zone is UTC.

        A saved set comes with all its columns.
        """
        source = _lake_source(data_source)
        read = _pulled(
            source,
            keys=join_key_columns,
            # Labels too, of which Feast says nothing when it reads a saved set.
            features=[] if isinstance(source, SavedRows) else feature_name_columns,
            timestamp=timestamp_field,
            created=created_timestamp_column,
        )
        statement = all_rows(read, start=start_date, end=end_date)
        return LakeRetrievalJob(lake=Lake.of(config), statement=statement)

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Append rows to the table behind a view.

        Raises:
            LakeError: the view reads a query, or the lake cannot be written to.
        """
        source = _lake_source(feature_view.batch_source)
        if source.table is None:
            raise LakeError(f"{source.name} is a query; only a table can be written to")
        to_column = {feature: column for column, feature in source.field_mapping.items()}
        renamed = table.rename_columns([to_column.get(name, name) for name in table.column_names])
        append(Lake.of(config), table=source.table, rows=renamed)
        if progress:
            progress(table.num_rows)

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Append what a feature service served to its logging table.

        Raises:
            LakeError: the service logs to something else than a table of the lake.
        """
        destination = logging_config.destination
        if not isinstance(destination, LakeLoggingDestination):
            raise LakeError(f"{type(destination).__name__} is not in the lake; use LakeLoggingDestination")
        append(Lake.of(config), table=destination.table, rows=data, create=True)


def _lake_source(source: DataSource | None) -> LakeSource:
    if not isinstance(source, LakeSource):
        kind = type(source).__name__
        raise LakeError(f"LakeOfflineStore reads a LakeSource, not a {kind}")
    return source


def _pulled(
    source: LakeSource,
    *,
    keys: Iterable[str],
    features: Iterable[str],
    timestamp: str,
    created: str | None,
) -> ViewRead:
    return ViewRead(
        relation=source.get_table_query_string(),
        keys={name: name for name in keys},
        features={name: name for name in features},
        timestamp=timestamp,
        created=created or None,
    )
