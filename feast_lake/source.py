"""Where features, saved training sets and serving logs lie in the lake, as Feast sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from feast.data_source import DataSource
from feast.feature_logging import LoggingDestination
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.protos.feast.core.FeatureService_pb2 import LoggingConfig as LoggingConfigProto
from feast.protos.feast.core.SavedDataset_pb2 import (
    SavedDatasetStorage as SavedDatasetStorageProto,
)
from feast.repo_config import RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.value_type import ValueType

from feast_lake.connection import qualified
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake
from feast_lake.value_types import value_type


class LakeSource(DataSource):
    """A table of the lake, or a query on it, with one row per entity and timestamp.

    Args:
        name: unique in the project; the table's name if not given.
        table: `schema.table`. Either this or `query`.
        query: a select statement; `schema.table` in it means the lake's.
        timestamp_field: column of the event timestamp: DATE, TIMESTAMP (UTC) or TIMESTAMPTZ.
        created_timestamp_column: decides between rows of equal event timestamp: newest wins.
        field_mapping: column → name of the feature.

    Raises:
        LakeError: neither or both of table and query, or a query without a name.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        table: str | None = None,
        query: str | None = None,
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        field_mapping: dict[str, str] | None = None,
        description: str = "",
        tags: dict[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if bool(table) == bool(query):
            raise LakeError("A LakeSource needs a table or a query: exactly one of the two")
        if not (name or table):
            raise LakeError("A LakeSource with a query needs a name")
        super().__init__(
            name=name or str(table),
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            field_mapping=field_mapping,
            description=description,
            tags=tags,
            owner=owner,
        )
        self.table = table or None
        self.query = query.strip().rstrip(";") if query else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LakeSource):
            return False
        return super().__eq__(other) and (self.table, self.query) == (other.table, other.query)

    def __hash__(self) -> int:
        return hash((self.name, self.timestamp_field))

    def source_type(self) -> DataSourceProto.SourceType.ValueType:
        """Feast's kind for sources it does not know."""
        return DataSourceProto.CUSTOM_SOURCE

    @staticmethod
    def from_proto(data_source: DataSourceProto) -> LakeSource:
        """The source that a registry holds."""
        configuration = json.loads(data_source.custom_options.configuration)
        return LakeSource(
            name=data_source.name,
            table=configuration["table"],
            query=configuration["query"],
            timestamp_field=data_source.timestamp_field,
            created_timestamp_column=data_source.created_timestamp_column,
            field_mapping=dict(data_source.field_mapping),
            description=data_source.description,
            tags=dict(data_source.tags),
            owner=data_source.owner,
        )

    def _to_proto_impl(self) -> DataSourceProto:
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type="feast_lake.source.LakeSource",
            timestamp_field=self.timestamp_field,
            created_timestamp_column=self.created_timestamp_column,
            field_mapping=self.field_mapping,
            description=self.description,
            tags=self.tags,
            owner=self.owner,
            custom_options=_options(table=self.table, query=self.query),
        )

    def validate(self, config: RepoConfig) -> None:
        """Check that the lake has this source and its timestamp columns.

        Raises:
            LakeError: it has not, or the table cannot be read.
        """
        columns = dict(self.get_table_column_names_and_types(config))
        to_column = {feature: column for column, feature in self.field_mapping.items()}
        for field in (self.timestamp_field, self.created_timestamp_column):
            column = to_column.get(field, field)
            if column and column not in columns:
                raise LakeError(f"{self.name} has no column {column!r}; it has {', '.join(columns)}")
            if column and columns[column].split("_")[0].split(" ")[0] not in ("DATE", "TIMESTAMP"):
                raise LakeError(f"{column!r} of {self.name} is {columns[column]}; expected DATE or TIMESTAMP")

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """Names and DuckDB types of the columns, in the order of the table."""
        with Lake.of(config).read() as connection, explained(f"read {self.name}"):
            described = connection.execute(
                f"DESCRIBE SELECT * FROM {self.get_table_query_string()} AS source"
            ).fetchall()
        return [(row[0], row[1]) for row in described]

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], ValueType]:
        """The map from DuckDB's types to Feast's; refuses types that would lose precision."""
        return value_type

    def get_table_query_string(self) -> str:
        """What stands after FROM to read this source."""
        return qualified(self.table) if self.table else f"({self.query}\n)"


class SavedRows(LakeSource):
    """The table of a saved set, which is read back with all its columns."""


class SavedDatasetLakeStorage(SavedDatasetStorage):
    """A table of the lake that holds a saved training set."""

    _proto_attr_name = "custom_storage"

    def __init__(self, table: str) -> None:
        self.table = table

    @staticmethod
    def from_proto(storage_proto: SavedDatasetStorageProto) -> SavedDatasetLakeStorage:
        """The storage that a registry holds."""
        configuration = json.loads(storage_proto.custom_storage.configuration)
        return SavedDatasetLakeStorage(table=configuration["table"])

    def to_proto(self) -> SavedDatasetStorageProto:
        """The storage as a registry holds it."""
        return self._custom_storage_proto(_options(table=self.table, query=None))

    def to_data_source(self) -> LakeSource:
        """A source that reads the saved rows."""
        return SavedRows(table=self.table, timestamp_field="event_timestamp")

    @staticmethod
    def from_data_source(data_source: DataSource) -> SavedDatasetLakeStorage:
        """The storage behind a source.

        Raises:
            LakeError: the source is no table of a lake.
        """
        if not isinstance(data_source, LakeSource) or data_source.table is None:
            raise LakeError(f"{data_source.name} is no table of a lake")
        return SavedDatasetLakeStorage(table=data_source.table)


class LakeLoggingDestination(LoggingDestination):
    """A table of the lake that takes what a feature service served; made on the first write."""

    _proto_kind = "feast_lake"

    def __init__(self, *, table: str) -> None:
        self.table = table

    @classmethod
    def from_proto(cls, config_proto: LoggingConfigProto) -> LakeLoggingDestination:
        """The destination that a registry holds."""
        return cls(table=config_proto.custom_destination.config["table"])

    def to_proto(self) -> LoggingConfigProto:
        """The destination as a registry holds it."""
        custom = LoggingConfigProto.CustomDestination(kind=self._proto_kind, config={"table": self.table})
        return LoggingConfigProto(custom_destination=custom)

    def to_data_source(self) -> LakeSource:
        """A source that reads the logged rows."""
        return LakeSource(table=self.table, timestamp_field="__log_timestamp")


def _options(*, table: str | None, query: str | None) -> DataSourceProto.CustomSourceOptions:
    configuration = json.dumps({"table": table, "query": query}).encode()
    return DataSourceProto.CustomSourceOptions(configuration=configuration)
