"""feast_lake's answers equal those of a plain loop, and those of Feast's own DuckDB store."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore, FileSource, RepoConfig
from feast.data_source import DataSource
from feast.types import Int64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feast_lake import LakeSource
from feast_lake.entities import EntityRows
from feast_lake.lake import Lake
from feast_lake.retrieval import HistoricalJob
from feast_lake.view_read import ViewRead
from feast_lake_fixtures import CHANNEL, CUSTOMER, build_lake, feature_store, view

START = datetime(2024, 1, 1)
KEYS = st.sampled_from(["ann", "bob", None])
CHANNELS = st.sampled_from(["web", "shop"])
MOMENTS = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))
MAYBE = st.one_of(st.none(), MOMENTS)

FEATURE_ROWS = st.lists(st.tuples(KEYS, CHANNELS, MAYBE, MAYBE), max_size=12)
ASKED_ROWS = st.lists(st.tuples(KEYS, CHANNELS, MAYBE), min_size=1, max_size=6)
TTLS = st.one_of(st.none(), st.integers(1, 3).map(lambda hours: timedelta(hours=hours)))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(build_lake(tmp_path_factory.mktemp("lake"), {"main.nothing": "select 1 as n"}))


def in_sql(rows: list[tuple[Any, ...]]) -> str:
    """A relation of the feature rows; the feature is the row's number."""
    columns = "customer varchar, channel varchar, at timestamp, made timestamp, number bigint"
    names = [column.split()[0] for column in columns.split(", ")]
    kinds = [column.split()[1] for column in columns.split(", ")]
    selects = [
        "select "
        + ", ".join(
            f"cast({'null' if value is None else repr(str(value))} as {kind}) as {name}"
            for name, kind, value in zip(names, kinds, (*row, number), strict=True)
        )
        for number, row in enumerate(rows)
    ]
    nothing = ", ".join(f"cast(null as {k}) as {n}" for n, k in zip(names, kinds, strict=True))
    return f"({' union all '.join([*selects, f'select {nothing} where false'])})"


def candidates(
    rows: list[tuple[Any, ...]], asked: tuple[Any, ...], *, ttl: timedelta | None, known: bool
) -> set[int | None]:
    """The numbers of the rows that may answer: several if timestamps are equal; {None} if none."""
    customer, channel, now = asked
    fitting = [
        (at, (made is not None, made or START), number)
        for number, (row_customer, row_channel, at, made) in enumerate(rows)
        if None not in (customer, now, at)
        and (row_customer, row_channel) == (customer, channel)
        and at <= now
        and (ttl is None or now <= at + ttl)
        and (not known or (made is not None and made <= now))
    ]
    if not fitting:
        return {None}
    newest = max(fitting)[:2]
    return {number for at, made, number in fitting if (at, made) == newest}


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(rows=FEATURE_ROWS, asked=ASKED_ROWS, ttl=TTLS, known=st.booleans())
def test_the_answer_is_that_of_a_plain_loop(
    lake: Lake,
    rows: list[tuple[Any, ...]],
    asked: list[tuple[Any, ...]],
    ttl: timedelta | None,
    known: bool,
) -> None:
    read = ViewRead(
        relation=in_sql(rows),
        keys={"customer": "customer", "channel": "channel"},
        features={"number": "number"},
        timestamp="at",
        created="made",
        ttl=ttl,
        known_by_row=known,
    )
    frame = pd.DataFrame(asked, columns=["customer", "channel", "event_timestamp"])
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True)
    job = HistoricalJob(
        lake=lake,
        rows=EntityRows.of(frame, lake),
        views=[read],
        feature_refs=[],
        on_demand_feature_views=[],
        full_feature_names=False,
    )
    answer = job.to_arrow()
    assert answer["customer"].to_pylist() == [customer for customer, _, _ in asked]
    for row, number in zip(asked, answer["number"].to_pylist(), strict=True):
        assert number in candidates(rows, row, ttl=ttl, known=known)


# Feast's own store

CUSTOMERS = [f"c{number}" for number in range(12)]
ENTITIES = (CUSTOMER, CHANNEL)


def hour(chance: random.Random) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(400))


def history(chance: random.Random) -> pd.DataFrame:
    """Rows of two keys with late corrections; no two rows equal in keys and timestamps."""
    rows = []
    for _ in range(1500):
        seen_at = hour(chance)
        known_at = seen_at + timedelta(hours=chance.randrange(6))
        number = chance.choice([None, chance.randrange(1000)])
        rows.append((chance.choice(CUSTOMERS), chance.choice(["web", "shop"]), seen_at, known_at, number))
    columns = ["customer_id", "channel", "seen_at", "known_at", "n"]
    frame = pd.DataFrame(rows, columns=columns).astype({"n": "Int64"})
    return frame.drop_duplicates(columns[:-1])


def applied(store: FeatureStore, sources: dict[str, DataSource]) -> FeatureStore:
    one = view("one", sources["one"], {"n_one": Int64}, entities=ENTITIES, ttl=timedelta(days=1))
    two = view("two", sources["two"], {"n_two": Int64}, entities=ENTITIES)
    store.apply([*ENTITIES, one, two])
    return store


def our_store(folder: Path) -> FeatureStore:
    tables = {f"features.{name}": f"from '{folder}/{name}.parquet'" for name in ("one", "two")}
    sources: dict[str, DataSource] = {
        name: LakeSource(
            table=f"features.{name}",
            timestamp_field="seen_at",
            created_timestamp_column="known_at",
            field_mapping={"n": f"n_{name}"},
        )
        for name in ("one", "two")
    }
    return applied(feature_store(build_lake(folder, tables), folder), sources)


def feasts_own_store(folder: Path) -> FeatureStore:
    config = RepoConfig(
        project="own",
        provider="local",
        registry=str(folder / "own.db"),
        offline_store={"type": "duckdb"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    sources: dict[str, DataSource] = {
        name: FileSource(
            path=str(folder / f"{name}.parquet"),
            timestamp_field="seen_at",
            created_timestamp_column="known_at",
            field_mapping={"n": f"n_{name}"},
        )
        for name in ("one", "two")
    }
    return applied(FeatureStore(config=config), sources)


# ibis calls what DuckDB 1.5 deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("known", [False, True], ids=["newest", "known by then"])
def test_the_answer_is_that_of_feasts_own_store(tmp_path: Path, known: bool) -> None:
    pytest.importorskip("ibis")
    chance = random.Random(7)
    for name in ("one", "two"):
        history(chance).to_parquet(tmp_path / f"{name}.parquet")
    asked = pd.DataFrame(
        {
            "customer_id": [chance.choice([*CUSTOMERS, "zoe", None]) for _ in range(400)],
            "channel": [chance.choice(["web", "shop"]) for _ in range(400)],
            "event_timestamp": [hour(chance) for _ in range(400)],
            "row": range(400),
        }
    )
    ours, theirs = (
        store.get_historical_features(asked, ["one:n_one", "two:n_two"], filter_by_created_timestamp=known)
        .to_arrow()
        .sort_by("row")
        .to_pydict()
        for store in (our_store(tmp_path), feasts_own_store(tmp_path))
    )
    assert ours == theirs
    assert sum(number is not None for number in ours["n_one"]) > 100
