"""Joins hold in a large lake: whatever the sizes of its tables, no two that grow are joined by time alone.

Two tables that are joined by a comparison and not by a key are compared row by row. Where a model joins three tables at
once, the engine may begin with two that share no key, because their sizes, as the catalogue tells them, make that look
cheap. A join in a CTE of its own comes first.
"""

import json
import random
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import feast_lake
from millpond import settings

WITHOUT_KEY = {"NESTED_LOOP_JOIN", "BLOCKWISE_NL_JOIN", "PIECEWISE_MERGE_JOIN", "IE_JOIN", "CROSS_PRODUCT"}
# Not by customers, nor by what they do.
HARDLY_GROW = {"int_as_of_date", "int_observation_dates", *(seed.stem for seed in settings.PROJECT.glob("seeds/*.csv"))}
# What is said about any channel is said about each of the few that are named.
CHANNELS = ("int_consent_statements_versioned", "int_consent_statements_versioned")
# As training asks a view, whose conditions make other joins look cheap.
LABELS = """
select * from labels.future_purchases
where observation_date = date '2023-05-01' and purchase_date < date '2024-01-01' and known_date < date '2024-01-01'
"""
# Of every fault that this test was written for, two of so many lakes show it.
LAKES = 12
LARGEST = 10**7

Plan = dict[str, Any]


def statements(home: Path) -> dict[str, str]:
    """Name to SQL of the models and singular tests that were built in a home, as they are built from nothing."""
    results = json.loads((home / "target" / "run_results.json").read_text())["results"]
    kinds = re.compile(r"model|test\.millpond\.\w+$")
    named = {one["unique_id"].split(".")[2]: one["compiled_code"] for one in results if kinds.match(one["unique_id"])}
    # Python models are no statements, and a table of the session that built them is gone.
    return {name: sql for name, sql in named.items() if sql and "def model(" not in sql and "memory.main" not in sql}


def resized(catalog: Path, seed: int) -> None:
    """Give each table of a catalogue one file, which is not there, of 1 to LARGEST rows: enough to plan with."""
    chance = random.Random(seed)
    with sqlite3.connect(catalog) as tables:
        for told in ("data_file", "delete_file", "table_stats", "table_column_stats", "file_column_stats"):
            tables.execute(f"delete from ducklake_{told}")
        named = tables.execute("select table_name, table_id from ducklake_table where end_snapshot is null order by 1")
        for name, table in named.fetchall():
            rows = int((100 if name in HARDLY_GROW else LARGEST) ** chance.random())
            tables.execute("insert into ducklake_table_stats values (?, ?, ?, ?)", (table, rows, rows, rows))
            tables.execute(
                "insert into ducklake_data_file (data_file_id, table_id, begin_snapshot, path, path_is_relative,"
                " file_format, record_count, file_size_bytes, footer_size, row_id_start)"
                " values (?, ?, 0, 'none.parquet', 1, 'parquet', ?, ?, 1, 0)",
                (table, table, rows, rows),
            )


def explained(connection: duckdb.DuckDBPyConnection, sql: str) -> Plan:
    plan: Plan = json.loads(connection.execute(f"explain (format json) {sql}").fetchall()[0][1])[0]
    return plan


def steps(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan["children"]:
        yield from steps(child)


def growing(plan: Plan, ctes: dict[str, Plan]) -> set[str]:
    """The tables below a step of a plan that grow; none where it gives a single row."""
    name, about = plan["name"].strip(), plan["extra_info"]
    if name == "UNGROUPED_AGGREGATE":
        return set()
    if name == "CTE_SCAN":
        return growing(ctes[about["CTE Index"]], ctes)
    table = {about["Table"].split(".")[-1]} if "Table" in about else set()
    return (table - HARDLY_GROW).union(*(growing(child, ctes) for child in plan["children"]))


def joined_without_key(plan: Plan) -> set[tuple[str, ...]]:
    """What grows on the one and on the other side of joins that compare rows with rows."""
    ctes = {one["extra_info"]["Table Index"]: one["children"][0] for one in steps(plan) if one["name"].strip() == "CTE"}
    joins = [one["children"] for one in steps(plan) if one["name"].strip() in WITHOUT_KEY]
    sides = [[growing(side, ctes) for side in join] for join in joins]
    return {tuple(sorted(", ".join(sorted(side)) for side in join)) for join in sides if all(join)}


@pytest.mark.parametrize("seed", range(LAKES))
def test_no_two_tables_that_grow_are_joined_without_a_key(seed: int, built_shop: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.sqlite"
    shutil.copy(built_shop / "lake" / "catalog.sqlite", catalog)
    resized(catalog, seed)
    with feast_lake.connect(f"sqlite:{catalog}", data_path=str(tmp_path), read_only=True) as connection:
        connection.execute("begin")
        asked = {**statements(built_shop), "labels of a date": LABELS}
        plans = {name: explained(connection, sql) for name, sql in asked.items()}
    found = {name: joined_without_key(plan) - {CHANNELS} for name, plan in plans.items()}
    assert len(plans) > 100
    assert not {name: pairs for name, pairs in found.items() if pairs}


@pytest.mark.parametrize(("known_on", "found"), [("known_on", {("readings", "visits")}), ("max(known_on)", set())])
def test_a_join_by_time_alone_is_found_unless_one_side_is_one_row(known_on: str, found: set[tuple[str, ...]]) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table readings as select range as known_on from range(5)")
        connection.execute("create table visits as select range as made_on from range(5)")
        plan = explained(
            connection,
            f"with known as materialized (select {known_on} as known_on from readings)"
            " select * from known inner join visits on known.known_on < visits.made_on",
        )
    assert joined_without_key(plan) == found
