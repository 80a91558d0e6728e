"""BG/NBD: published figures, limits and messages."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import bg_nbd
from training.bg_nbd import BgNbd
from training.errors import TrainingError

PUBLISHED = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)


@pytest.fixture(scope="module")
def cdnow_sample() -> pd.DataFrame:
    """2,357 customers of the CDNOW 1/10 sample, weeks 1 to 39; found without importing lifetimes."""
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        pytest.skip("lifetimes is not installed: pip install millpond[demo]")
    return pd.read_csv(Path(spec.origin).parent / "datasets" / "cdnow_customers_summary.csv")


def test_parameters_of_the_cdnow_sample_are_the_published_ones(cdnow_sample: pd.DataFrame) -> None:
    history = (cdnow_sample["frequency"], cdnow_sample["recency"], cdnow_sample["T"])
    params = bg_nbd.fit(*history)
    assert params == pytest.approx(PUBLISHED, abs=1e-3)
    assert bg_nbd.log_likelihood(params, *history) == pytest.approx(-9582.4, abs=0.05)


def test_unit_of_time_changes_alpha_only(cdnow_sample: pd.DataFrame) -> None:
    weeks = [cdnow_sample[name].to_numpy() for name in ("frequency", "recency", "T")]
    in_weeks = bg_nbd.fit(*weeks)
    in_days = bg_nbd.fit(weeks[0], weeks[1] * 7, weeks[2] * 7)
    assert in_days._replace(alpha=in_days.alpha / 7) == pytest.approx(in_weeks, rel=1e-3)


def test_expected_purchases_of_a_published_customer() -> None:
    # Hardie, "Implementing the BG/NBD Model in Excel": customer 0001 over the next 39 weeks.
    expected = bg_nbd.expected_purchases(PUBLISHED, [2], [30.43], [38.86], 39)
    assert expected[0] == pytest.approx(1.226, abs=1e-3)


def test_purchases_are_expected_where_nobody_bought_a_fourth_time() -> None:
    random = np.random.default_rng(1)
    x = random.integers(0, 3, 300).astype(float)
    tenure = random.integers(100, 400, 300).astype(float)
    history = (x, np.where(x > 0, np.floor(random.random(300) * 60) + 1, 0), tenure)
    params = bg_nbd.fit(*history)
    # So large that the published series overflows.
    assert params.a > 1000
    counts = np.stack([bg_nbd.expected_purchases(params, *history, days) for days in (7, 30, 90, 365)])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts[-1] >= bg_nbd.probability_of_purchase(params, *history, 365) * (1 - 1e-6)).all()


@pytest.mark.parametrize("a", [0.793, 20.0, 150.0])
def test_purchases_summed_over_chances_of_leaving_are_those_of_the_series(a: float) -> None:
    params, history = PUBLISHED._replace(a=a), bg_nbd.checked([0, 2, 30], [0, 30.43, 38], [38.86] * 3)
    series = bg_nbd.expected_while_alive(params, history, 39)
    summed = bg_nbd._summed_while_alive(params, history.x[:, None], history.T[:, None], np.array([[39.0]]))
    assert summed == pytest.approx(series, rel=1e-3)


def test_one_time_buyer_has_not_left() -> None:
    assert bg_nbd.p_alive(PUBLISHED, [0], [0], [38.86])[0] == 1


@given(
    x=st.integers(0, 200),
    share=st.floats(0, 1),
    tenure=st.floats(0.1, 1000),
    horizons=st.lists(st.floats(0.01, 2000), min_size=2, max_size=5),
)
def test_purchase_probability_rises_to_being_alive(x: int, share: float, tenure: float, horizons: list[float]) -> None:
    history = ([x], [share * tenure if x else 0.0], [tenure])
    alive = bg_nbd.p_alive(PUBLISHED, *history)[0]
    probabilities = [bg_nbd.probability_of_purchase(PUBLISHED, *history, h)[0] for h in sorted(horizons)]
    assert (np.diff(probabilities) >= -1e-12).all()
    assert 0 <= probabilities[0] <= probabilities[-1] + 1e-12 <= alive + 2e-12 <= 1 + 2e-12
    assert bg_nbd.probability_of_purchase(PUBLISHED, *history, 1e12)[0] == pytest.approx(alive, rel=1e-2, abs=1e-9)
    assert bg_nbd.expected_purchases(PUBLISHED, *history, max(horizons))[0] >= probabilities[-1] * (1 - 1e-6)


def test_nobody_bought_twice_is_one_line() -> None:
    with pytest.raises(TrainingError, match=r"^3 customers, none with a second purchase day; .*widen the period$"):
        bg_nbd.fit([0, 0, 0], [0, 0, 0], [1, 2, 3])


def test_impossible_history_names_its_row() -> None:
    with pytest.raises(TrainingError, match=r"^row 1: x=2, t_x=9, T=5; expected"):
        bg_nbd.p_alive(PUBLISHED, [1, 2], [3, 9], [5, 5])
