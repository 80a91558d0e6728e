"""The waiting time of customers who never bought: recovered from its own world, calibrated, sane with little data."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training import first_purchase
from training.errors import TrainingError
from training.first_purchase import FirstPurchase

Floats = NDArray[np.float64]
TRUTH = FirstPurchase(share=0.6, shape=1.5, scale=60.0)


def world(n: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Days known at the observation, days to the first purchase, follow-up: of those who had not bought by then."""
    random = np.random.default_rng(seed)
    known = random.integers(0, 120, n).astype(float)
    waiting = random.exponential(1 / random.gamma(TRUTH.shape, 1 / TRUTH.scale, n))
    first = np.where(random.random(n) < TRUTH.share, np.floor(waiting), np.inf)
    waits = first >= known
    days = first[waits] - known[waits]
    follow_up = random.integers(1, 400, waits.sum()).astype(float)
    return known[waits], np.where(days < follow_up, days, np.nan), follow_up


def test_probabilities_of_the_world_it_learnt_from() -> None:
    model = first_purchase.fit(*world(100_000, seed=1))
    assert model
    known = np.array([0.0, 30.0, 120.0])
    for horizon in (7, 30, 90, 300):
        expected = TRUTH.probability(known, horizon)
        assert model.probability(known, horizon) == pytest.approx(expected, rel=0.05)


def test_as_many_buy_as_it_expects_in_another_draw() -> None:
    model = first_purchase.fit(*world(50_000, seed=2))
    assert model
    known, days, follow_up = world(50_000, seed=3)
    seen = follow_up >= 90
    expected = model.probability(known[seen], 90).sum()
    assert (days[seen] < 90).sum() == pytest.approx(expected, rel=0.03)


def test_few_purchases_give_one_rate_and_none_give_more_than_nothing() -> None:
    known = np.zeros(100)
    nobody = first_purchase.fit(known, np.full(100, np.nan), np.full(100, 50.0))
    some = first_purchase.fit(known, np.where(np.arange(100) < 20, 9.0, np.nan), np.full(100, 50.0))
    assert nobody
    assert some
    # Half a purchase in 5,000 days; 20.5 in 4,200.
    assert nobody.probability(np.array([0.0, 1000.0]), 1) == pytest.approx(0.5 / 5000, rel=1e-3)
    assert some.probability(np.array([0.0, 1000.0]), 1) == pytest.approx(20.5 / 4200, rel=1e-2)


def test_who_has_waited_for_years_at_a_rate_that_all_have_may_still_buy() -> None:
    """Of 1 / (e to the power of 250) who would wait as long, as many buy within a week as of those just come."""
    steady = FirstPurchase(1.0, first_purchase.STEADY_SHAPE, first_purchase.STEADY_SHAPE / 0.05)
    known = np.array([0.0, 700.0, 5000.0])
    assert steady.probability(known, 7) == pytest.approx(1 - np.exp(-0.05 * 7), rel=1e-3)
    scores = first_purchase.scores(steady, np.zeros(90), known, [90])
    assert scores["p_repurchase_90d"] == pytest.approx(1 - np.exp(-0.05 * 90), rel=1e-3)
    assert scores["median_days_to_repurchase"].tolist() == [14.0, 14.0, 14.0]


def test_without_prospects_there_is_nothing_to_learn() -> None:
    none = np.empty(0)
    assert first_purchase.fit(none, none, none) is None


def test_scores_rise_with_the_horizon_and_count_what_follows_a_first_purchase() -> None:
    repeats = np.arange(90) / 10.0
    known = np.array([3.0, 200.0, 3.0])
    scores = first_purchase.scores(TRUTH, repeats, known, [7, 30, 90])
    chances = np.stack([scores[f"p_repurchase_{h}d"] for h in (7, 30, 90)])
    counts = np.stack([scores[f"expected_purchases_{h}d"] for h in (7, 30, 90)])
    assert (np.diff(chances, axis=0) > 0).all()
    assert (counts >= chances).all()
    assert (chances[:, 0] == chances[:, 2]).all()
    assert (chances[:, 0] > chances[:, 1]).all()
    # By hand: on day d the first purchase, then (h - d) / 10 more.
    daily = np.diff([TRUTH.probability(known[:1], day)[0] for day in range(8)])
    assert counts[0, 0] == pytest.approx(sum(daily[d - 1] * (1 + (7 - d) / 10) for d in range(1, 8)))
    assert np.isnan(scores["p_alive"]).all()


def test_median_is_the_first_day_by_which_half_have_bought() -> None:
    soon = FirstPurchase(1.0, first_purchase.STEADY_SHAPE, first_purchase.STEADY_SHAPE / 0.1)
    late = FirstPurchase(1.0, first_purchase.STEADY_SHAPE, first_purchase.STEADY_SHAPE / 0.001)
    assert soon.median_days(np.array([0.0])) == [7.0]  # log(2) / 0.1 = 6.9
    assert np.isnan(late.median_days(np.array([0.0])))


def test_days_below_zero_are_named() -> None:
    with pytest.raises(TrainingError, match=r"row 1: known for -2 days"):
        first_purchase.fit(np.array([1.0, -2.0]), np.array([1.0, 1.0]), np.array([5.0, 5.0]))
