"""The three ways of benchmarks/point_in_time.py: their repositories, their reads, and timing them in turns."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import duckdb
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureService, FeatureStore, FeatureView, FileSource
from feast.data_source import DataSource

from feast_lake import LakeSource
from millpond import features, settings

WAYS = ("feast_lake", "feast_duckdb", "floor")
MB = 1e6

Read = Callable[[], pa.Table]


class Case(NamedTuple):
    """Rows that are read through a service.

    Attributes:
        name: of the case, and of the file with its rows.
        service: of the feature store.
        has_ttl: whether the views keep their ttl; False: any age will do.
    """

    name: str
    service: str
    has_ttl: bool


class Measured(NamedTuple):
    """One way of reading one case.

    Attributes:
        seconds: of each timed read, in order.
        start_mb: memory of the process when everything was imported and opened.
        peak_mb: most memory it held until its first read was done.
    """

    seconds: list[float]
    start_mb: float
    peak_mb: float


# Repositories


def service_views(store: FeatureStore, service: str) -> list[FeatureView]:
    projections = store.get_feature_service(service).feature_view_projections
    return [store.get_feature_view(projection.name) for projection in projections]


def register(folder: Path, services: Sequence[str]) -> None:
    """The home's views and services again, below the folder: ours without ttl, Feast's own with and without.

    Args:
        folder: holds an export `<view>.parquet` of every view of the services.
    """
    ours = (
        f"{{type: feast_lake.offline_store.LakeOfflineStore, catalog: 'sqlite:{settings.catalog()}', "
        f"data_path: '{settings.data_folder()}'}}"
    )
    _register(folder / "feast_lake_False", ours, services, has_ttl=False, source=_lake_source)
    for has_ttl in (True, False):
        _register(
            folder / f"feast_duckdb_{has_ttl}",
            "{type: duckdb}",
            services,
            has_ttl=has_ttl,
            source=lambda view: FileSource(
                path=str(folder / f"{view.name}.parquet"), timestamp_field=batch_source(view).timestamp_field
            ),
        )


def _lake_source(view: FeatureView) -> LakeSource:
    source = batch_source(view)
    return LakeSource(table=source.table, timestamp_field=source.timestamp_field)


def batch_source(view: FeatureView) -> Any:
    """Where its rows come from; by its type a view may have none, and ours all do."""
    return view.batch_source


def _register(
    repo: Path,
    offline_store: str,
    services: Sequence[str],
    *,
    has_ttl: bool,
    source: Callable[[FeatureView], DataSource],
) -> None:
    repo.mkdir()
    (repo / "feature_store.yaml").write_text(
        f"""
        project: point_in_time
        provider: local
        entity_key_serialization_version: 3
        registry: {{registry_type: sql, path: "sqlite:///{repo}/registry.db"}}
        offline_store: {offline_store}
        online_store: null
        """
    )
    known = features.store()
    entities = {entity.name: entity for entity in known.list_entities() if entity.name != "__dummy"}
    views = {
        view.name: FeatureView(
            name=view.name,
            entities=[entities[name] for name in view.entities],
            ttl=view.ttl if has_ttl else None,
            schema=view.schema,
            source=source(view),
        )
        for service in services
        for view in service_views(known, service)
    }
    members = {service: [views[view.name] for view in service_views(known, service)] for service in services}
    own_services = [FeatureService(name=name, features=list(its_views)) for name, its_views in members.items()]
    FeatureStore(repo_path=str(repo)).apply([*entities.values(), *views.values(), *own_services])


def _store(folder: Path, way: str, case: Case) -> FeatureStore:
    if way == "feast_lake" and case.has_ttl:
        return features.store()
    return FeatureStore(repo_path=str(folder / f"{way}_{case.has_ttl}"))


# Reads


def service_reader(folder: Path, way: str, case: Case) -> Read:
    """A store's answer, as `training.dataset.service_features` takes it."""
    store = _store(folder, way, case)
    service = store.get_feature_service(case.service)
    entities = pd.read_parquet(folder / f"{case.name}.parquet")

    def read() -> pa.Table:
        # Feast's own store writes into the frame that it is given.
        return store.get_historical_features(entity_df=entities.copy(), features=service).to_arrow()

    return read


def floor_reader(folder: Path, case: Case) -> Read:
    """DuckDB alone, on the exports."""
    views = service_views(_store(folder, "feast_duckdb", case), case.service)
    statement = floor_statement(folder, case, views)

    def read() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("set asof_loop_join_threshold = 0")
            return connection.execute(statement).to_arrow_table()

    return read


def floor_statement(folder: Path, case: Case, views: Sequence[FeatureView]) -> str:
    """Every row with the newest features of each view that its ttl still lets live."""
    joined, living = [], []
    for view in views:
        timestamp = batch_source(view).timestamp_field
        at = f"{view.name}.{timestamp}"
        same_keys = "".join(f"wanted.{key} = {view.name}.{key} and " for key in view.join_keys)
        file = f"'{folder}/{view.name}.parquet'"
        joined.append(f"asof left join {file} as {view.name} on {same_keys} wanted.event_timestamp >= {at}")
        columns = f"columns({view.name}.* exclude ({', '.join(view.join_keys)}, {timestamp}))"
        alive = f"wanted.event_timestamp <= {at} + to_days({view.ttl.days})" if view.ttl else "true"
        living.append(f"case when {alive} then {columns} end")
    return f"select wanted.*, {', '.join(living)} from '{folder}/{case.name}.parquet' as wanted {' '.join(joined)}"


# Timing, each way in a process of its own


def measure(folder: Path, case: Case, *, repeats: int) -> dict[str, Measured]:
    """Read once in each way to warm up, keeping the answers in the folder; then time them in turns.

    Another job on the machine so hits all ways alike.
    """
    with ExitStack() as stack:
        processes = {
            way: stack.enter_context(ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")))
            for way in WAYS
        }
        memory = {way: process.submit(_warm_up, folder, way, case).result() for way, process in processes.items()}
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(repeats):
            for way, process in processes.items():
                seconds[way].append(process.submit(_timed_read).result())
    return {way: Measured(seconds[way], *memory[way]) for way in WAYS}


# The read of this process, from its warming up on.
_reads: list[Read] = []


def _warm_up(folder: Path, way: str, case: Case) -> tuple[float, float]:
    # ibis, below Feast's own store, calls what DuckDB 1.5 deprecates.
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="ibis")
    read = floor_reader(folder, case) if way == "floor" else service_reader(folder, way, case)
    start = psutil.Process().memory_info().rss / MB
    answer = read()
    peak = _peak_memory_mb()
    pq.write_table(answer, folder / f"{case.name}.{way}.parquet")
    _reads.append(read)
    return start, peak


def _timed_read() -> float:
    [read] = _reads
    start = perf_counter()
    read()
    return perf_counter() - start


def _peak_memory_mb() -> float:
    # getrusage would also count the process that this one was started from.
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")) / MB
