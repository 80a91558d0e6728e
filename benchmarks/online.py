"""Online reads and publishing: a Reader and `publish_view` beside Feast as it comes, and the bare store as the floor.

A made-up lake of 4 views with 15 features each, once with the features in SQLite and once in Redis. Reads are timed one
by one after a warm-up, in one thread and in four; the peers answer for the same customers. Publishing counts values per
second. Writes benchmarks/results/online.json.
"""

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from feast import FeatureStore
from machine import facts, write
from online_stores import AS_OF, FEATURES, VIEWS, make_lake, open_store, redis_server, repository_name, served

from feast_lake import publish_view, wire
from millpond.reader import Reader

START = AS_OF - timedelta(days=14)
AT = AS_OF + timedelta(hours=12)
GOALS = {"one_p99_ms": 2, "hundred_p50_ms": 10, "publishing_over_feast": 5}


def publishing(ours: FeatureStore, feast: FeatureStore, customers: int) -> dict[str, Any]:
    """Values per second into an empty store and, the second time, over what is there."""
    values = customers * VIEWS * FEATURES
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


def sqlite_floor(folder: Path) -> Callable[[list[str]], object]:
    """Every value of the customers out of Feast's tables, as bytes."""
    local = threading.local()

    def ask(customers: list[str]) -> object:
        if not hasattr(local, "connection"):
            local.connection = sqlite3.connect(folder / "feast.db")
        keys = wire.entity_keys([(customer,) for customer in customers], ["customer_id"])
        places = ",".join("?" * len(keys))
        query = "select entity_key, feature_name, value, event_ts from bench_v{} where entity_key in ({})"
        return [local.connection.execute(query.format(view, places), keys).fetchall() for view in range(VIEWS)]

    return ask


def redis_floor(address: str) -> Callable[[list[str]], object]:
    """Every value of the customers out of Feast's hashes, as bytes, in one pipeline."""
    import redis
    from feast.infra.online_stores.helpers import _mmh3

    host, _, port = address.partition(":")
    client = redis.Redis(host, int(port), db=1)
    fields = [_mmh3(f"v{view}:v{view}_f{one}") for view in range(VIEWS) for one in range(FEATURES)]

    def ask(customers: list[str]) -> object:
        with client.pipeline(transaction=False) as pipe:
            for key in wire.entity_keys([(customer,) for customer in customers], ["customer_id"]):
                pipe.hmget(key + b"bench", fields)
            return pipe.execute()

    return ask


def check_agreement(reader: Reader, through_feast: Callable[[list[str]], dict[str, list[Any]]]) -> None:
    asked = [f"shop/{n}" for n in range(20)]
    expected, found = through_feast(asked), reader.read(asked, at=AT)
    if any(
        vector.values[name] != expected[name][place] for place, vector in enumerate(found) for name in vector.values
    ):
        sys.exit("the reader and Feast do not agree")


def reads(folder: Path, customers: int, seconds: float, redis: str | None) -> dict[str, Any]:
    """Each way of reading, for 1 and 100 customers, in 1 and 4 threads."""
    feast = open_store(folder, "feast", redis)
    service = feast.get_feature_service("all")
    reader = Reader("all", store=open_store(folder, "ours", redis))

    def through_feast(asked: list[str]) -> dict[str, list[Any]]:
        found = feast.get_online_features(service, [{"customer_id": customer} for customer in asked])
        values: dict[str, list[Any]] = found.to_dict()
        return values

    check_agreement(reader, through_feast)
    with served(folder / repository_name("feast", redis)) as over_http:
        ways: dict[str, Callable[[list[str]], object]] = {
            "reader": lambda asked: reader.read(asked, at=AT),
            "feast": through_feast,
            "feast serve": over_http,
            "raw store": redis_floor(redis) if redis else sqlite_floor(folder),
        }
        return {
            way: {
                f"{size} customers, {threads} threads": timed(ask, customers, size, seconds, threads)
                for size in (1, 100)
                for threads in (1, 4)
            }
            for way, ask in ways.items()
        }


def measured(folder: Path, customers: int, seconds: float, redis: str | None) -> dict[str, Any]:
    ours, feast = open_store(folder, "ours", redis), open_store(folder, "feast", redis)
    published = publishing(ours, feast, customers)
    return {"publishing": published, "reads": reads(folder, customers, seconds, redis)}


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
        stores = {"sqlite": measured(folder, arguments.customers, arguments.seconds, redis=None)}
        with redis_server(folder) as redis:
            if redis:
                stores["redis"] = measured(folder, arguments.customers, arguments.seconds, redis)
    sizes = {"customers": arguments.customers, "features": VIEWS * FEATURES}
    path = write("online", {**before, **sizes, "goals": GOALS, "stores": stores})
    print(json.dumps(stores, indent=1))
    print(path.name)


if __name__ == "__main__":
    main()
