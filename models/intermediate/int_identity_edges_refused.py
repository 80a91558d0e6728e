"""What would bring two records together whom a person has told apart, per moment: it joins nobody then.

Each edge is made in turn and refused where the two would come together: SQL without recursion cannot say so. Only
records that hang together with two who are told apart are looked at.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("other_record_id", pa.string()),
        ("identifier_kind", pa.string()),
        ("starts_at", pa.timestamp("us")),
    ]
)
IN_ORDER = "select * from edges order by starts_at, place, record_id"
TOLD_APART = """
select known_at, record_id, other_record_id from matches
where not is_match and known_at is not null
order by known_at
"""
BATCH_ROWS = 50_000


def refused(edges: Iterable[Mapping[str, Any]], told_apart: Mapping[str, set[str]]) -> Iterator[Mapping[str, Any]]:
    """Edges that would bring together two who are told apart, when the others are made one after the other.

    Args:
        edges: record_id and other_record_id, in the order in which they count.
        told_apart: of a record those who are not the same customer; symmetrical.
    """
    groups: dict[str, set[str]] = {}
    for edge in edges:
        pair = (groups.setdefault(edge[column], {edge[column]}) for column in ("record_id", "other_record_id"))
        smaller, larger = sorted(pair, key=len)
        if smaller is larger:
            continue
        if any(told_apart.get(record, set()) & larger for record in smaller):
            yield edge
        else:
            larger |= smaller
            groups.update(dict.fromkeys(smaller, larger))


def refused_over_time(
    edges: Iterable[Mapping[str, Any]], decisions: list[tuple[datetime, str, str]]
) -> Iterator[Mapping[str, Any]]:
    """The same at each moment, by what was decided until then.

    Args:
        edges: with starts_at besides, ordered by it.
        decisions: from when two records are told apart, in that order.
    """
    told_apart: dict[str, set[str]] = defaultdict(set)
    remaining = iter([*decisions, (datetime.max, "", "")])
    known_at, one, other = next(remaining)
    for starts_at, alive in groupby(edges, itemgetter("starts_at")):
        while known_at <= starts_at:
            told_apart[one].add(other)
            told_apart[other].add(one)
            known_at, one, other = next(remaining)
        yield from refused(alive, told_apart)


def model(dbt, session):  # type: ignore[no-untyped-def]
    # Incremental, so that the table stays; a hook in dbt_project.yml deletes its rows before.
    dbt.config(materialized="incremental", incremental_strategy="append")
    decisions = dbt.ref("int_matches_reviewed").query("matches", TOLD_APART).fetchall()
    in_question = dbt.ref("int_identity_edges_in_question")
    if not decisions:
        return SCHEMA.empty_table()
    batches = in_question.query("edges", IN_ORDER).to_arrow_reader(BATCH_ROWS)
    edges = (edge for batch in batches for edge in batch.to_pylist())
    return pa.Table.from_pylist(list(refused_over_time(edges, decisions)), schema=SCHEMA)
