"""Baselines of the timing model, and figures of survival curves, on histories that can be checked."""

import numpy as np
import pandas as pd
import pytest

from training import baselines, bg_nbd, cox, evaluation, mbg_nbd, pareto_nbd, repurchase_timing, survival_metrics
from training.dataset import TrainingSet
from training.errors import TrainingError
from training.repurchase_timing import HISTORY
from training.timing_trees import FEATURES

HORIZONS = (7, 30, 90)


def world(n: int, seed: int) -> TrainingSet:
    """Customers who buy at their own constant rate; half are followed up for 91 days, half for less."""
    random = np.random.default_rng(seed)
    rate, tenure = random.gamma(1.0, 0.03, size=n), random.integers(30, 300, size=n).astype(float)
    frequency = random.poisson(rate * tenure)
    recency = np.where(frequency > 0, np.floor(tenure * random.beta(np.maximum(frequency, 1), 1)), 0)
    features = pd.DataFrame(
        {
            **dict.fromkeys(FEATURES, 1.0),
            "frequency": frequency,
            "recency_days": recency,
            "tenure_days": tenure,
            "days_since_last_purchase": tenure - recency,
            "purchase_days_ever": frequency + 1,
            "purchase_days_past_365_days": frequency + 1,
            "net_amount_per_purchase_day_mean": random.normal(20, 3, size=n),
        }
    )
    follow_up = np.where(np.arange(n) % 2, 91, random.integers(0, 91, size=n)).astype(float)
    follow_up[: n // 4] = 0
    next_purchase = np.floor(random.exponential(1 / rate))
    labels = pd.DataFrame(
        {
            "days_to_next_purchase": np.where(next_purchase < follow_up, next_purchase, np.nan),
            "follow_up_days": follow_up,
            "purchase_days_in_window": random.poisson(rate * np.minimum(follow_up, 90)),
        }
    )
    return TrainingSet(features, labels)


@pytest.fixture(scope="module")
def train() -> TrainingSet:
    return world(3000, seed=1)


@pytest.fixture(scope="module")
def fitted(train: TrainingSet) -> dict[str, baselines.Baseline]:
    return {
        "bg_nbd": baselines.buy_till_you_die(bg_nbd, train),
        "mbg_nbd": baselines.buy_till_you_die(mbg_nbd, train),
        "pareto_nbd": baselines.buy_till_you_die(pareto_nbd, train),
        "cox": baselines.cox_regression(train),
        "rfm": baselines.logistic(train, baselines.RFM, HORIZONS),
        "frequency": baselines.logistic(train, baselines.FREQUENCY, HORIZONS),
        "rate": baselines.last_years_rate(),
    }


def test_every_baseline_tells_buyers_from_others(fitted: dict[str, baselines.Baseline]) -> None:
    test = world(2000, seed=2)
    followed = (test.labels["follow_up_days"] > 90).to_numpy()
    days = test.labels["days_to_next_purchase"].to_numpy()[followed]
    for who, one in fitted.items():
        p = {h: one.probability(test.features[followed], h) for h in HORIZONS}
        assert evaluation.timing_metrics(days, p)["mean"]["auc"] > 0.7, who
        assert ((p[90] >= 0) & (p[90] <= 1)).all(), who
        if one.has_curve:
            assert (p[7] <= p[30]).all(), who
            assert (p[30] <= p[90]).all(), who


def test_baselines_that_count_expect_at_least_the_chance_of_buying(
    train: TrainingSet, fitted: dict[str, baselines.Baseline]
) -> None:
    for who in ("bg_nbd", "mbg_nbd", "pareto_nbd", "rate"):
        one = fitted[who]
        assert one.expected_purchases is not None
        expected, chance = one.expected_purchases(train.features, 90), one.probability(train.features, 90)
        assert (expected >= chance - 1e-9).all(), who


def test_logistic_without_whole_follow_ups_says_so(train: TrainingSet) -> None:
    with pytest.raises(TrainingError, match=r"^0 rows followed up for 365 days, 0 with a purchase; expected some"):
        baselines.logistic(train, baselines.RFM, [365])


def test_cox_finds_the_factor_of_two_groups() -> None:
    # The hazard of the second group is twice that of the first; signed logs of 0 and e - 1 are 0 and 1.
    random = np.random.default_rng(3)
    group = np.repeat([0.0, 1.0], 5000)
    days = np.floor(random.exponential(1 / (0.01 * (1 + group))))
    fitted = cox.fit(np.expm1(group)[:, None], np.where(days < 90, days, np.nan), np.full(10_000, 90.0))
    assert np.exp(fitted.slope[0] / fitted.inputs.scale[0]) == pytest.approx(2, rel=0.08)
    predicted = fitted.probability_of_purchase(np.array([[0.0], [np.e - 1]]), 30)
    assert predicted == pytest.approx([1 - np.exp(-0.3), 1 - np.exp(-0.6)], rel=0.06)


def test_cox_beyond_its_follow_up_is_an_error(train: TrainingSet, fitted: dict[str, baselines.Baseline]) -> None:
    with pytest.raises(TrainingError, match="horizon 91: the longest follow-up was 90 days"):
        fitted["cox"].probability(train.features, 91)


def test_cox_without_purchases_says_so() -> None:
    with pytest.raises(TrainingError, match="2 rows, none with a purchase"):
        cox.fit(np.ones((2, 1)), np.array([np.nan, np.nan]), np.array([5.0, 5.0]))


def test_linear_hazard_is_carried_on_like_the_model_beyond_the_bins_it_learnt() -> None:
    rows = world(4000, seed=3)
    followed = np.minimum(rows.labels["follow_up_days"], 35)
    days = rows.labels["days_to_next_purchase"]
    labels = rows.labels.assign(follow_up_days=followed, days_to_next_purchase=days.where(days < followed))
    model = repurchase_timing.fit(rows.features, labels, seed=1)
    alone = baselines.linear_hazard(model).probability
    x, t_x, tenure = rows.features[list(HISTORY)].to_numpy().T
    later = bg_nbd.probability_of_purchase(model.bg_nbd, x, t_x, tenure + 30, 60)
    assert alone(rows.features, 90) == pytest.approx(1 - (1 - alone(rows.features, 30)) * (1 - later))


def test_brier_integrated_over_two_days_can_be_checked_by_hand() -> None:
    # Bought on day 0; not in 2 days. Predicted half on both days: errors 0, 1/4, 1/4 at 0, 1 and 2.
    half = np.array([0.5, 0.5])
    score = survival_metrics.integrated_brier(np.array([0, np.nan]), np.array([2.0, 2.0]), {1: half, 2: half})
    assert score == pytest.approx((0.125 + 0.25) / 2)


def test_share_followed_is_that_of_kaplan_and_meier() -> None:
    # Follow-ups 1, 2 and 4 days, and a buyer on day 1: of four at risk one ends after 1 day, of two one after 2.
    followed = survival_metrics.share_followed(np.array([1.0, 2.0, 4.0, 4.0]), np.array([np.inf, np.inf, np.inf, 1.0]))
    assert followed == pytest.approx([1, 1, 3 / 4, 3 / 8, 3 / 8])


def test_weights_make_up_for_those_no_longer_followed() -> None:
    random = np.random.default_rng(4)
    days = np.floor(random.exponential(40, size=20_000))
    predicted = {day: np.full(20_000, 1 - np.exp(-day / 50)) for day in (10, 30, 60)}
    whole = survival_metrics.integrated_brier(days, np.full(20_000, 61.0), predicted)
    partly = np.where(random.random(20_000) < 0.5, 61.0, random.integers(1, 61, size=20_000))
    assert survival_metrics.integrated_brier(days, partly, predicted) == pytest.approx(whole, rel=0.02)


def test_days_that_hardly_anybody_was_followed_to_are_an_error() -> None:
    with pytest.raises(TrainingError, match="fewer than 5% of 3 customers are followed up for 9 days"):
        survival_metrics.integrated_brier(np.full(3, np.nan), np.full(3, 5.0), {9: np.full(3, 0.5)})
