"""Customer value: shrinkage, discounting, horizons, figures, saving and messages."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from training import backtest, bg_nbd, customer_value, evaluation, repurchase_timing
from training.bg_nbd import BgNbd
from training.customer_value import CustomerValueModel
from training.dataset import TrainingSet
from training.errors import TrainingError
from training.repurchase_timing import RepurchaseTimingModel
from training.timing_trees import FEATURES
from training.value_metrics import value_metrics

HORIZONS = [1, 7, 30, 90, 365, 1000]


def shop(n: int, seed: int) -> TrainingSet:
    """Customers with a purchase rate and a price level of their own; who buys often pays more."""
    random = np.random.default_rng(seed)
    rate = random.gamma(1.5, 0.03, size=n)
    level = np.exp(random.normal(3, 0.5, size=n)) * (1 + 40 * rate)
    tenure = random.integers(60, 300, size=n).astype(float)
    frequency = random.poisson(rate * tenure)
    mean = level * random.gamma(4 * (frequency + 1), 1 / (4 * (frequency + 1)))
    recency = np.where(frequency > 0, np.floor(tenure * random.beta(np.maximum(frequency, 1), 1)), 0)
    bought = random.poisson(rate * 90)
    features = pd.DataFrame(
        {
            **dict.fromkeys(FEATURES, 1.0),
            "frequency": frequency,
            "recency_days": recency,
            "tenure_days": tenure,
            "days_since_last_purchase": tenure - recency,
            "purchase_days_ever": frequency + 1,
            "net_amount_per_purchase_day_mean": mean,
            "net_amount_ever": mean * (frequency + 1),
            "net_amount_past_365_days": mean * (frequency + 1),
        }
    )
    next_day = np.where(bought > 0, np.floor(random.random(n) * 90), np.nan)
    labels = pd.DataFrame(
        {
            "days_to_next_purchase": next_day,
            "follow_up_days": 90.0,
            "purchase_days_in_window": bought.astype(float),
            "valued_purchase_days_in_window": bought.astype(float),
            "net_amount_in_window": level * random.gamma(4 * np.maximum(bought, 1), 0.25) * (bought > 0),
        }
    )
    return TrainingSet(features, labels)


@pytest.fixture(scope="module")
def rows() -> TrainingSet:
    return shop(2000, seed=1)


@pytest.fixture(scope="module")
def timing(rows: TrainingSet) -> RepurchaseTimingModel:
    return repurchase_timing.fit(rows.features, rows.labels, seed=1)


@pytest.fixture(scope="module")
def model(rows: TrainingSet) -> CustomerValueModel:
    return customer_value.fit(rows.features, rows.labels, margin_share=0.4, seed=1)


def test_value_is_expected_purchases_times_margin(
    model: CustomerValueModel, timing: RepurchaseTimingModel, rows: TrainingSet
) -> None:
    values = model.predict(rows.features, timing, [30], yearly_discount=0)["expected_value_30d"]
    expected = timing.predict(rows.features, [30])["expected_purchases_30d"] * model.amount_per_purchase(rows.features)
    assert values.to_numpy() == pytest.approx(0.4 * expected.to_numpy())


def test_value_never_falls_with_the_horizon_and_waiting_costs(
    model: CustomerValueModel, timing: RepurchaseTimingModel, rows: TrainingSet
) -> None:
    discounted = model.predict(rows.features, timing, HORIZONS)
    plain = model.predict(rows.features, timing, HORIZONS, yearly_discount=0)
    assert (np.diff(discounted.to_numpy(), axis=1) >= 0).all()
    assert (discounted["expected_value_365d"] < plain["expected_value_365d"]).all()
    # Purchases of the first 30 days wait for 15 days on the mean.
    ratio = discounted["expected_value_30d"] / plain["expected_value_30d"]
    assert ratio.to_numpy() == pytest.approx(1.1 ** (-15 / 365))


def test_beyond_the_learnt_horizon_purchases_become_rarer(timing: RepurchaseTimingModel, rows: TrainingSet) -> None:
    near, far = (timing.predict(rows.features, [90, 360])[f"expected_purchases_{h}d"] for h in (90, 360))
    assert (far > near).all()
    assert (far <= 4 * near * (1 + 1e-9)).all()


def test_total_of_expected_values_is_about_what_was_spent(
    model: CustomerValueModel, timing: RepurchaseTimingModel, rows: TrainingSet
) -> None:
    values = model.predict(rows.features, timing, [90], yearly_discount=0)["expected_value_90d"] / 0.4
    assert values.sum() == pytest.approx(rows.labels["net_amount_in_window"].sum(), rel=0.1)


def test_trees_learn_that_frequent_buyers_pay_more(model: CustomerValueModel) -> None:
    new = shop(4000, seed=2)
    bought = (new.labels["valued_purchase_days_in_window"] > 0).to_numpy()
    actual = (new.labels["net_amount_in_window"] / new.labels["valued_purchase_days_in_window"])[bought].to_numpy()
    classic = customer_value.shrunken_amount(model.gamma_gamma, new.features)[bought]
    refined = model.amount_per_purchase(new.features)[bought]
    assert evaluation.relative_gain((refined - actual) ** 2, (classic - actual) ** 2, seed=1).low > 0.02


def test_back_test_has_both_baselines_and_groups(rows: TrainingSet) -> None:
    figures = backtest.value(rows, shop(1000, seed=2), cut=date(2024, 1, 1), horizon=90, seed=1)
    assert set(figures.scores) == {"model", "bg_nbd_gamma_gamma", "last_years_spend"}
    assert set(figures.gains) == {"bg_nbd_gamma_gamma", "last_years_spend"}
    assert figures.loss == "squared error"
    interval = figures.intervals["mae"]
    assert interval.estimate == pytest.approx(figures.scores["model"]["mae"])
    assert interval.low < interval.estimate < interval.high
    expected = [group["expected"] for group in figures.groups]
    assert expected == sorted(expected, reverse=True)


def test_value_within_a_horizon_does_not_depend_on_the_others_asked_for(
    model: CustomerValueModel, timing: RepurchaseTimingModel, rows: TrainingSet
) -> None:
    alone, among = (model.predict(rows.features, timing, h)["expected_value_90d"] for h in ([90], HORIZONS))
    assert alone.to_numpy() == pytest.approx(among.to_numpy(), rel=1e-12)


def test_few_valued_purchases_leave_the_gamma_gamma_alone(rows: TrainingSet) -> None:
    few = customer_value.fit(rows.features.head(100), rows.labels.head(100), margin_share=1, seed=1)
    assert few.trees is None
    assert few.metadata["method"].startswith("gamma-gamma alone (fewer than 1000 rows of customer and date with ")
    alone = customer_value.shrunken_amount(few.gamma_gamma, rows.features)
    assert few.amount_per_purchase(rows.features).tolist() == alone.tolist()


@pytest.mark.parametrize("n", [100, 2000])
def test_loaded_model_scores_equal_to_the_last_bit(
    n: int, rows: TrainingSet, timing: RepurchaseTimingModel, tmp_path: Path
) -> None:
    saved = customer_value.fit(rows.features.head(n), rows.labels.head(n), margin_share=0.4, seed=1)
    customer_value.save(saved, tmp_path)
    loaded = customer_value.load(tmp_path)
    before, after = (one.predict(rows.features, timing, HORIZONS) for one in (saved, loaded))
    pd.testing.assert_frame_equal(after, before, check_exact=True)


def test_customer_whose_amounts_are_unknown_gets_that_of_all(model: CustomerValueModel, rows: TrainingSet) -> None:
    unknown = rows.features.head(1).assign(net_amount_per_purchase_day_mean=np.nan)
    everyone = customer_value.shrunken_amount(model.gamma_gamma, unknown)[0]
    p, q, v = model.gamma_gamma
    assert everyone == pytest.approx(p * v / (q - 1))


def test_purchase_days_of_unknown_amount_neither_teach_nor_shrink(model: CustomerValueModel, rows: TrainingSet) -> None:
    # Bought on five days, on two of which for 90 and 110.
    history = {"purchase_days_ever": 5.0, "net_amount_ever": 200.0, "net_amount_per_purchase_day_mean": 100.0}
    once = pd.DataFrame([history])
    p, q, v = model.gamma_gamma
    shrunken = customer_value.shrunken_amount(model.gamma_gamma, once)[0]
    assert shrunken == pytest.approx(p * (v + 2 * 100) / (2 * p + q - 1))

    ever = rows.features["purchase_days_ever"]
    more = rows.features.head(100).assign(purchase_days_ever=ever + 3)
    few = customer_value.fit(rows.features.head(100), rows.labels.head(100), margin_share=1, seed=1)
    told = customer_value.fit(more, rows.labels.head(100), margin_share=1, seed=1)
    assert told.gamma_gamma == few.gamma_gamma


def test_figures_of_four_customers_can_be_checked_by_hand() -> None:
    actual, expected = np.array([0.0, 10.0, 20.0, 70.0]), np.array([5.0, 10.0, 40.0, 45.0])
    figures = value_metrics(actual, expected)
    assert figures["mae"] == pytest.approx((5 + 0 + 20 + 25) / 4)
    assert figures["predicted_over_actual"] == pytest.approx(1)
    assert figures["rank_correlation"] == pytest.approx(1)
    assert figures["top_tenth_share"] == pytest.approx(0.7)


def test_top_tenth_of_equal_expectations_does_not_depend_on_the_order_of_customers() -> None:
    """One is expected to spend and does; which of the 19 others is beside her at the top, nobody knows."""
    actual, expected = np.array([5.0] + [1.0] * 5 + [0.0] * 14), np.array([3.0] + [0.0] * 19)
    assert value_metrics(actual, expected)["top_tenth_share"] == pytest.approx((5 + 5 / 19) / 10)
    assert value_metrics(actual[::-1], expected[::-1])["top_tenth_share"] == pytest.approx((5 + 5 / 19) / 10)


def test_nothing_spent_is_one_line() -> None:
    with pytest.raises(TrainingError, match=r"^2 customers, 0 of value, .*evaluate on more customers$"):
        value_metrics(np.zeros(2), np.array([1.0, 2.0]))


def test_costs_above_prices_are_one_line(rows: TrainingSet) -> None:
    with pytest.raises(TrainingError, match=r"^margin is -0.2 of net amount; .*check unit costs of products$"):
        customer_value.fit(rows.features, rows.labels, margin_share=-0.2, seed=1)


def test_horizon_of_no_days_is_an_error(
    model: CustomerValueModel, timing: RepurchaseTimingModel, rows: TrainingSet
) -> None:
    with pytest.raises(TrainingError, match=r"each of 1 to 3650 whole days"):
        model.predict(rows.features, timing, [0])


def test_parametric_tail_is_that_of_the_bg_nbd() -> None:
    params = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
    past = bg_nbd.checked([3], [10.0], [30.0])
    whole = [bg_nbd.expected_while_alive(params, past, days)[0] for days in (90, 360)]
    assert whole[0] < whole[1] < 4 * whole[0]
