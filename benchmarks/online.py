"""Online reads and publishing: a Reader and `publish_view` beside Feast as it comes, and the bare store as the floor.

A made-up lake of 4 views with 15 features each. Reads are timed one by one after a warm-up, in one thread and in four;
the peers answer for the same customers. Publishing counts values per second. Writes benchmarks/results/online.json.
"""

import argparse
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import duckdb
import numpy as np
import yaml
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, ValueType
from feast.types import Float64, Int64, String
from machine import facts, write

from feast_lake import LakeSource, install_extensions, publish_view, wire
from millpond.reader import Reader

VIEWS, FEATURES = 4, 15
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
START = AS_OF - timedelta(days=14)
AT = AS_OF + timedelta(hours=12)
GOALS = {"one_p99_ms": 2, "hundred_p50_ms": 10, "publishing_over_feast": 5}


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


def open_store(folder: Path, kind: str) -> FeatureStore:
    """A store on the lake: `ours`, or `feast` with the online store that Feast ships."""
    ours = {"type": "feast_lake.online_store.WalSqliteOnlineStore", "path": f"{folder}/ours.db"}
    repository = folder / kind
    repository.mkdir(exist_ok=True)
    settings = {
        "project": "bench",
        "provider": "local",
        "registry": {"registry_type": "sql", "path": f"sqlite:///{folder}/{kind}-registry.db"},
        "offline_store": {
            "type": "feast_lake.offline_store.LakeOfflineStore",
            "catalog": f"sqlite:{folder}/catalog.sqlite",
            "data_path": f"{folder}/data",
        },
        "online_store": ours if kind == "ours" else {"type": "sqlite", "path": f"{folder}/feast.db"},
        "entity_key_serialization_version": 3,
        "materialization": {"pull_latest_features": True, "online_write_batch_size": 5000},
    }
    (repository / "feature_store.yaml").write_text(yaml.safe_dump(settings))
    store = FeatureStore(repo_path=str(repository))
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
    views = [
        FeatureView(
            name=f"v{view}",
            entities=[customer],
            ttl=timedelta(days=14),
            schema=[
                Field(name="customer_id", dtype=String),
                *(Field(name=f"v{view}_f{one}", dtype=Float64 if one % 2 else Int64) for one in range(FEATURES)),
            ],
            source=LakeSource(table=f"features.v{view}", timestamp_field="observation_date"),
        )
        for view in range(VIEWS)
    ]
    store.apply([customer, *views, FeatureService(name="all", features=list(views))])
    return store


def publishing(folder: Path, customers: int) -> dict[str, Any]:
    """Values per second into an empty store and, the second time, over what is there."""
    values = customers * VIEWS * FEATURES
    ours, feast = open_store(folder, "ours"), open_store(folder, "feast")
    result: dict[str, Any] = {"values": values}
    for turn in ("first", "again"):
        begin = perf_counter()
        for view in ours.list_feature_views():
            publish_view(ours, view, start=START, end=AS_OF)
        middle = perf_counter()
        feast.materialize(START, AS_OF)
        end = perf_counter()
        result[turn] = {
            "ours_values_per_second": round(values / (middle - begin)),
            "feast_values_per_second": round(values / (end - middle)),
            "over_feast": round((end - middle) / (middle - begin), 2),
        }
    return result


def timed(
    ask: Callable[[list[str]], object], customers: int, size: int, seconds: float, threads: int
) -> dict[str, float]:
    """Percentiles of the milliseconds that one call takes while so many threads call, and calls per second of all."""
    taken: list[list[float]] = [[] for _ in range(threads)]
    stop = perf_counter() + seconds

    def work(number: int) -> None:
        random = np.random.default_rng(number)
        while perf_counter() < stop:
            asked = [f"shop/{n}" for n in random.integers(customers, size=size)]
            begin = perf_counter()
            ask(asked)
            taken[number].append(perf_counter() - begin)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    milliseconds = np.concatenate([np.array(one) for one in taken]) * 1000
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {"p50_ms": round(p50, 3), "p99_ms": round(p99, 3), "calls_per_second": round(len(milliseconds) / seconds)}


def raw_read(folder: Path) -> Callable[[list[str]], object]:
    """The floor: every value of the customers out of Feast's tables, as bytes."""
    local = threading.local()

    def ask(customers: list[str]) -> object:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(folder / "feast.db")
        keys = wire.entity_keys([(customer,) for customer in customers], ["customer_id"])
        places = ",".join("?" * len(keys))
        query = "select entity_key, feature_name, value, event_ts from bench_v{} where entity_key in ({})"
        return [local.connection.execute(query.format(view, places), keys).fetchall() for view in range(VIEWS)]

    return ask


@contextmanager
def served(folder: Path) -> Iterator[Callable[[list[str]], object]]:
    """`feast serve` in another process, asked over HTTP on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(folder / "feast"), "serve", "--host", "127.0.0.1"]
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


def reads(folder: Path, customers: int, seconds: float) -> dict[str, Any]:
    """Each way of reading, for 1 and 100 customers, in 1 and 4 threads."""
    feast = open_store(folder, "feast")
    service = feast.get_feature_service("all")
    reader = Reader("all", store=open_store(folder, "ours"))

    def through_feast(asked: list[str]) -> object:
        return feast.get_online_features(service, [{"customer_id": customer} for customer in asked]).to_dict()

    def check() -> None:
        asked = [f"shop/{n}" for n in range(20)]
        expected = through_feast(asked)
        found = reader.read(asked, at=AT)
        if any(
            vector.values[name] != expected[name][place] for place, vector in enumerate(found) for name in vector.values
        ):
            sys.exit("the reader and Feast do not agree")

    check()
    with served(folder) as over_http:
        ways: dict[str, Callable[[list[str]], object]] = {
            "reader": lambda asked: reader.read(asked, at=AT),
            "feast": through_feast,
            "feast serve": over_http,
            "raw store": raw_read(folder),
        }
        return {
            way: {
                f"{size} customers, {threads} threads": timed(ask, customers, size, seconds, threads)
                for size in (1, 100)
                for threads in (1, 4)
            }
            for way, ask in ways.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5, help="per measured cell")
    arguments = parser.parse_args()
    os.environ["TZ"] = "UTC"
    before = facts()
    with tempfile.TemporaryDirectory(prefix="millpond-online-") as name:
        folder = Path(name)
        make_lake(folder, arguments.customers)
        result = {
            "customers": arguments.customers,
            "features": VIEWS * FEATURES,
            "goals": GOALS,
            "publishing": publishing(folder, arguments.customers),
            "reads": reads(folder, arguments.customers, arguments.seconds),
        }
    path = write("online", {**before, **result})
    print(json.dumps({"publishing": result["publishing"], "reads": result["reads"]}, indent=1))
    print(path.name)


if __name__ == "__main__":
    main()
