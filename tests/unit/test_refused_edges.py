"""The Python model that keeps apart who was told apart, against what it promises."""

import importlib.util
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond import settings

Pair = tuple[str, str]
Pairs = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh")), max_size=14)


def load() -> ModuleType:
    file = settings.PROJECT / "models" / "intermediate" / "int_identity_edges_refused.py"
    spec = importlib.util.spec_from_file_location("int_identity_edges_refused", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODEL = load()


def edges(pairs: list[Pair], **columns: Any) -> list[dict[str, Any]]:
    return [{"record_id": one, "other_record_id": other, "place": n, **columns} for n, (one, other) in enumerate(pairs)]


def refused(pairs: list[Pair], told_apart: list[Pair]) -> list[int]:
    """Places of the edges that are refused."""
    foes: dict[str, set[str]] = {}
    for one, other in told_apart:
        foes.setdefault(one, set()).add(other)
        foes.setdefault(other, set()).add(one)
    return [edge["place"] for edge in MODEL.refused(edges(pairs), foes)]


def reachable(start: str, pairs: list[Pair]) -> set[str]:
    found = {start}
    while more := {end for pair in pairs if found & {*pair} for end in pair} - found:
        found |= more
    return found


@pytest.mark.parametrize(
    ("pairs", "places"),
    [
        pytest.param(["ca", "cb"], [1], id="third record stays with the first that it was joined with"),
        pytest.param(["ca", "dc", "db"], [2], id="of a chain the newest edge is refused"),
        pytest.param(["ca", "cb", "db", "ea"], [1], id="what comes later joins all the same"),
        pytest.param(["ax", "by", "xz", "yz"], [3], id="those who hang on either stay with them"),
        pytest.param(["xy", "yz"], [], id="who is not told apart is joined"),
    ],
)
def test_edge_that_brings_two_together_who_are_told_apart_is_refused(pairs: list[str], places: list[int]) -> None:
    assert refused([(one, other) for one, other in pairs], [("a", "b")]) == places


@given(Pairs, Pairs)
def test_nobody_is_joined_with_whom_they_were_told_apart_from_and_no_edge_is_refused_in_vain(
    pairs: list[Pair], told_apart: list[Pair]
) -> None:
    told_apart = [(one, other) for one, other in told_apart if one != other]
    places = set(refused(pairs, told_apart))
    made = [pair for place, pair in enumerate(pairs) if place not in places]
    assert all(other not in reachable(one, made) for one, other in told_apart)
    assert all(any(b in reachable(a, [*made, pairs[place]]) for a, b in told_apart) for place in places)


@given(Pairs, Pairs, Pairs)
def test_edges_that_come_later_change_nothing_of_earlier_ones(
    pairs: list[Pair], later: list[Pair], told_apart: list[Pair]
) -> None:
    told_apart = [(one, other) for one, other in told_apart if one != other]
    assert [place for place in refused(pairs + later, told_apart) if place < len(pairs)] == refused(pairs, told_apart)


def test_decision_counts_from_its_moment_on() -> None:
    days = [datetime(2024, 1, day) for day in (1, 2, 3)]
    over_time = [edge for day in days for edge in edges([("c", "a"), ("c", "b")], starts_at=day)]
    found = MODEL.refused_over_time(over_time, [(days[1], "a", "b")])
    assert [(edge["starts_at"], edge["place"]) for edge in found] == [(days[1], 1), (days[2], 1)]
