"""The population stability index on small tables that a person can check."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb
import pytest

from millpond import drift


def measured(then: Sequence[Any], now: Sequence[Any], *, is_word: bool = False) -> tuple[float, Any, Any]:
    """psi and both shares of nulls, of values at training and now."""
    kind = "varchar" if is_word else "double"
    with duckdb.connect() as connection:
        connection.execute(f"create table observed (is_reference boolean, value {kind})")
        for side, values in ((True, then), (False, now)):
            if values:
                connection.executemany("insert into observed values (?, ?)", [(side, value) for value in values])
        rows = connection.execute(drift.psi_sql("from main.observed", is_word=is_word)).fetchall()
    return rows[0]  # type: ignore[no-any-return]


def psi(*shares: tuple[float, float]) -> float:
    return sum((now - then) * math.log(now / then) for then, now in shares)


def test_nothing_drifts_where_nothing_changed() -> None:
    numbers = [*range(100), None]
    assert measured(numbers, numbers)[0] == pytest.approx(0)


def test_words_are_compared_by_their_shares_with_half_a_row_added() -> None:
    """8 of 10 were in France, 5 of 10 are: 8.5 and 5.5 of 11 rows."""
    found = measured(["FR"] * 8 + ["DE"] * 2, ["FR"] * 5 + ["DE"] * 5, is_word=True)
    assert found[0] == pytest.approx(psi((8.5 / 11, 5.5 / 11), (2.5 / 11, 5.5 / 11)))
    assert found[0] == pytest.approx(0.3338, abs=0.0001)


def test_numbers_are_compared_by_the_deciles_of_the_training_dates() -> None:
    """1 to 10 are one per decile; all ten rows above the highest cut are in the last of ten bins."""
    found = measured(range(1, 11), [100] * 10)
    assert found[0] == pytest.approx(psi((1.5 / 15, 10.5 / 15), *[(1.5 / 15, 0.5 / 15)] * 9))


def test_nulls_are_a_bin_of_their_own() -> None:
    found = measured([1.0] * 9 + [None], [1.0] * 5 + [None] * 5)
    assert found == (pytest.approx(psi((9.5 / 11, 5.5 / 11), (1.5 / 11, 5.5 / 11))), 0.1, 0.5)


def test_a_number_that_was_always_null_drifts_when_it_appears() -> None:
    found = measured([None] * 10, [3.0] * 10)
    assert found[0] == pytest.approx(psi((10.5 / 11, 0.5 / 11), (0.5 / 11, 10.5 / 11)))


def test_a_value_that_was_constant_drifts_when_it_rises() -> None:
    assert measured([0.0] * 100, [0.0] * 100)[0] == pytest.approx(0)
    assert measured([0.0] * 100, [1.0] * 100)[0] > drift.THRESHOLD


def test_a_value_that_most_had_drifts_when_it_falls() -> None:
    """Below the lowest cut lies nothing yet: neither where all had 1, nor where half had 1 and the others more."""
    for then in ([1.0] * 100, [1.0] * 50 + [2.0] * 50):
        assert measured(then, then)[0] == pytest.approx(0)
        assert measured(then, [0.0 if value == 1 else value for value in then])[0] > drift.THRESHOLD


def test_rare_words_are_one_bin() -> None:
    """Each of 200 postal codes once: which of them come again tells nothing."""
    codes = [f"{number:05}" for number in range(200)]
    assert measured(codes, list(reversed(codes)), is_word=True)[0] == pytest.approx(0)
    assert measured(["common"] * 100 + codes, ["common"] * 100 + codes, is_word=True)[0] == pytest.approx(0)


def test_a_word_that_is_called_null_is_not_one() -> None:
    assert measured(["null"] * 5, ["null"] * 5, is_word=True)[1:] == (0, 0)
    assert measured(["null"] * 50, [None] * 50, is_word=True)[0] > drift.THRESHOLD


def test_where_nothing_is_observed_now_the_shares_of_now_are_unknown() -> None:
    assert measured([1.0, None], [])[1:] == (0.5, None)


def test_a_drift_is_a_row_of_the_table() -> None:
    columns = [line.split()[0] for line in drift.TABLE.splitlines() if line.startswith("    ")]
    assert columns == list(drift.Drift._fields)
    assert date in drift.Drift.__annotations__.values()
