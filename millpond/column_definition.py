"""What decides one column of a feature model: its SQL without comments, layout and what only other columns need.

DuckDB parses the SQL. Select lists of CTEs lose what the column does not need, traced by name; conditions, joins and
groupings stay whole, for they decide which rows count. Where a name is used twice, too much is kept: then a change that
means nothing may count, but none that means something is lost. A table that the last CTE joins from the left without
using it goes too: could it double rows, the test of the grain would fail.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

ROWS = "observations"
"""The CTE that says which rows a build computes, not how: it differs from one build to the next."""

Tree = dict[str, Any]


class Definition(NamedTuple):
    """Of a column.

    Attributes:
        text: the same as long as the column is computed the same; the parser is part of it, so that of another DuckDB
            may differ.
        tables: relations that it reads, without their schemas.
        names: columns and aliases that it uses.
    """

    text: str
    tables: frozenset[str]
    names: frozenset[str]


def definition(sql: str, column: str, keys: Sequence[str]) -> Definition:
    """What decides a column.

    Args:
        sql: of a feature model, as dbt compiled it: one select with CTEs.
        column: such as `gap_days_mean`.
        keys: columns of the grain.

    Raises:
        ValueError: DuckDB cannot parse it.
    """
    select = _parsed(sql)
    ctes = {one["key"]: one["value"]["query"]["node"] for one in select["cte_map"]["map"] if one["key"] != ROWS}
    nodes = {**ctes, "": {**select, "cte_map": None}}
    wanted: frozenset[str] = frozenset()
    needed = frozenset({column, *keys})
    while wanted != needed:
        wanted = needed
        kept = _pruned(nodes, wanted)
        needed = wanted | {name for part in _walk(kept) for name in _names(part)}
    tables = frozenset(part["table_name"] for part in _walk(kept) if part.get("type") == "BASE_TABLE")
    return Definition(json.dumps(kept, sort_keys=True), tables - ctes.keys(), wanted)


def _parsed(sql: str) -> Tree:
    answer = json.loads(duckdb.execute("select json_serialize_sql($1)", [sql]).fetchall()[0][0])
    if answer["error"]:
        raise ValueError(f"{answer['error_message']}: {sql[:60]!r}")
    node: Tree = _without_places(answer["statements"][0]["node"])
    return node


def _without_places(part: Any) -> Any:
    """Where in the text something stood decides nothing."""
    if isinstance(part, dict):
        return {name: _without_places(value) for name, value in part.items() if name != "query_location"}
    return [_without_places(one) for one in part] if isinstance(part, list) else part


def _pruned(nodes: Mapping[str, Tree], wanted: frozenset[str]) -> Tree:
    """The CTEs that are read, with what is wanted of each; the last select under the name ""."""
    last = list(nodes)[-2] if len(nodes) > 1 else ""
    kept = {name: _with_wanted_items(node, wanted) for name, node in nodes.items()}
    kept[last] = _without_idle_joins(kept[last])
    reached, before = {""}, set[str]()
    while reached != before:
        before = reached
        reached = before | {
            part["table_name"]
            for name in before
            for part in _walk(kept[name])
            if part.get("type") == "BASE_TABLE" and part["table_name"] in kept
        }
    return {name: kept[name] for name in sorted(reached)}


def _with_wanted_items(node: Tree, wanted: frozenset[str]) -> Tree:
    # Of a union, a distinct or a limit every column decides.
    if node["type"] != "SELECT_NODE" or node["modifiers"]:
        return node
    items = [item for item in node["select_list"] if _output(item) in {None, *wanted}]
    return {**node, "select_list": items}


def _output(item: Tree) -> str | None:
    """Name of a column that a select gives; None: a star, or one without a name."""
    return item["alias"] or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else None)


def _without_idle_joins(node: Tree) -> Tree:
    """Without left joins to what is not used, if the node counts nothing and says of every column whose it is."""
    if node["type"] != "SELECT_NODE" or node["group_expressions"] or node["modifiers"]:
        return node
    table = node["from_table"]
    while table["type"] == "JOIN" and table["join_type"] == "LEFT":
        rest = {**node, "from_table": table["left"]}
        references = [part["column_names"] for part in _walk(rest) if part.get("class") == "COLUMN_REF"]
        right = table["right"].get("alias") or table["right"].get("table_name")
        if any(len(names) == 1 or names[0] == right for names in references) or _stars(node):
            break
        table = table["left"]
    return {**node, "from_table": table}


def _stars(node: Tree) -> bool:
    return any(item["class"] == "STAR" for item in node["select_list"])


def _names(part: Tree) -> Sequence[str]:
    names: Sequence[str] = part.get("column_names", part.get("using_columns")) or ()
    return names


def _walk(part: Any) -> Iterator[Tree]:
    """Every object of a tree."""
    if isinstance(part, dict):
        yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _walk(one)
