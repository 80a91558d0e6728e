"""The macro connected_components, run as SQL, against a union-find."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from millpond import settings

MACRO = settings.PROJECT / "macros" / "connected_components.sql"
ENOUGH_ROUNDS = 5

# Few nodes and many pairs, so that chains, rings, stars and lone pairs all come up; two graphs that never touch.
Pairs = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 14), st.integers(0, 14)), max_size=20)


def components(pairs: list[tuple[int, int, int]], rounds: int = ENOUGH_ROUNDS) -> dict[tuple[int, int], int]:
    """(graph, node) to the smallest node it hangs together with; nodes without another one are left out."""
    ctes = Environment().from_string(MACRO.read_text()).module.connected_components("edges", rounds)  # type: ignore[attr-defined]
    with duckdb.connect() as connection:
        connection.execute("create table edges (graph integer, node integer, other_node integer)")
        if pairs:
            connection.executemany("insert into edges values (?, ?, ?)", pairs)
        rows = connection.execute(f"with {ctes} select * from components").fetchall()
    found = {(graph, node): component for graph, node, component in rows}
    assert len(found) == len(rows)
    return found


def union_find(pairs: list[tuple[int, int, int]]) -> dict[tuple[int, int], int]:
    parents: dict[tuple[int, int], tuple[int, int]] = {}

    def root(one: tuple[int, int]) -> tuple[int, int]:
        while parents.setdefault(one, one) != one:
            one = parents[one]
        return one

    joined = [((graph, node), (graph, other)) for graph, node, other in pairs if node != other]
    for one, other in joined:
        smaller, larger = sorted((root(one), root(other)))
        parents[larger] = smaller
    return {one: root(one)[1] for pair in joined for one in pair}


@given(Pairs)
def test_components_equal_those_of_a_union_find(pairs: list[tuple[int, int, int]]) -> None:
    assert components(pairs) == union_find(pairs)


def test_six_rounds_solve_a_chain_of_fifty_records() -> None:
    chain = [(0, node, node + 1) for node in range(49)]
    assert set(components(chain, rounds=6).values()) == {0}


def test_too_few_rounds_leave_joined_nodes_in_different_components() -> None:
    chain = [(0, node, node + 1) for node in range(49)]
    assert len(set(components(chain, rounds=2).values())) > 1
