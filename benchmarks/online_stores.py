"""A made-up lake of 4 views with 15 features each, feature stores on it, and servers: `feast serve`, Redis."""

import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import Any

import duckdb
import yaml
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, ValueType
from feast.types import Float64, Int64, String

from feast_lake import LakeSource, install_extensions

VIEWS, FEATURES = 4, 15
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)


def make_lake(folder: Path, customers: int) -> None:
    install_extensions()
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner")
        connection.execute(f"attach 'ducklake:sqlite:{folder}/catalog.sqlite' as lake (data_path '{folder}/data')")
        connection.execute("create schema lake.features")
        for view in range(VIEWS):
            columns = ", ".join(
                f"hash(n, {view}, {one})::double / 1e15 as v{view}_f{one}"
                if one % 2
                else f"nullif(hash(n, {view}, {one}) % 100, 0)::bigint as v{view}_f{one}"
                for one in range(FEATURES)
            )
            connection.execute(
                f"create table lake.features.v{view} as "
                f"select 'shop/' || n as customer_id, date '{AS_OF:%Y-%m-%d}' as observation_date, {columns} "
                f"from range({customers}) as customers(n)"
            )


def online_settings(folder: Path, whose: str, redis: str | None) -> dict[str, Any]:
    """Feast's settings of an online store: `ours` or `feast`, in Redis if its address is given, else in SQLite."""
    if redis and whose == "ours":
        return {"type": "feast_lake.redis_store.LakeRedisOnlineStore", "connection_string": f"{redis},db=0"}
    if redis:
        return {"type": "redis", "connection_string": f"{redis},db=1"}
    if whose == "ours":
        return {"type": "feast_lake.online_store.WalSqliteOnlineStore", "path": f"{folder}/ours.db"}
    return {"type": "sqlite", "path": f"{folder}/feast.db"}


def open_store(folder: Path, whose: str, redis: str | None = None) -> FeatureStore:
    """A store on the lake, with the online store of `online_settings`; its repository is a folder of that name."""
    repository = folder / repository_name(whose, redis)
    repository.mkdir(exist_ok=True)
    settings = {
        "project": "bench",
        "provider": "local",
        "registry": {"registry_type": "sql", "path": f"sqlite:///{repository}/registry.db"},
        "offline_store": {
            "type": "feast_lake.offline_store.LakeOfflineStore",
            "catalog": f"sqlite:{folder}/catalog.sqlite",
            "data_path": f"{folder}/data",
        },
        "online_store": online_settings(folder, whose, redis),
        "entity_key_serialization_version": 3,
        "materialization": {"pull_latest_features": True, "online_write_batch_size": 5000},
    }
    (repository / "feature_store.yaml").write_text(yaml.safe_dump(settings))
    store = FeatureStore(repo_path=str(repository))
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    views = [_view(number, customer) for number in range(VIEWS)]
    store.apply([customer, *views, FeatureService(name="all", features=list(views))])
    return store


def repository_name(whose: str, redis: str | None) -> str:
    return f"{whose}-redis" if redis else whose


def _view(number: int, customer: Entity) -> FeatureView:
    features = [Field(name=f"v{number}_f{one}", dtype=Float64 if one % 2 else Int64) for one in range(FEATURES)]
    return FeatureView(
        name=f"v{number}",
        entities=[customer],
        ttl=timedelta(days=14),
        schema=[Field(name="customer_id", dtype=String), *features],
        source=LakeSource(table=f"features.v{number}", timestamp_field="observation_date"),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_server(folder: Path) -> Iterator[str | None]:
    """A Redis of this benchmark's own on the loopback, which keeps nothing on disk; None, and a line, without one."""
    program = shutil.which("redis-server")
    if program is None or find_spec("redis") is None:
        print("Redis is left out: it needs redis-server and `pip install 'millpond[redis]'`")
        yield None
        return
    port = _free_port()
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def served(repository: Path) -> Iterator[Callable[[list[str]], object]]:
    """`feast serve` in another process, asked over HTTP on the loopback."""
    port = _free_port()
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(repository), "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--no-access-log"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def ask(customers: list[str]) -> object:
        body = json.dumps({"feature_service": "all", "entities": {"customer_id": customers}}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/get-online-features", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    try:
        for _ in range(300):
            try:
                ask(["shop/0"])
                break
            except OSError:
                sleep(0.2)
        yield ask
    finally:
        process.terminate()
        process.wait()
