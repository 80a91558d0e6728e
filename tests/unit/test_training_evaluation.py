"""Figures of merit and model cards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import evaluation, model_card
from training.errors import TrainingError


def test_figures_of_four_customers_can_be_checked_by_hand() -> None:
    outcome = np.array([True, False, True, False])
    probability = np.array([0.8, 0.4, 0.6, 0.2])
    figures = evaluation.probability_metrics(outcome, probability)
    assert figures["log_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.6, 0.8]).mean())
    assert figures["brier"] == pytest.approx((0.04 + 0.16 + 0.16 + 0.04) / 4)
    assert figures["auc"] == 1
    assert figures["predicted_over_actual"] == pytest.approx(1)


def test_calibration_slope_of_true_probabilities_is_one() -> None:
    probability = np.tile(np.linspace(0.02, 0.98, 97), 1000)
    outcome = np.random.default_rng(1).random(len(probability)) < probability
    assert evaluation.probability_metrics(outcome, probability)["calibration_slope"] == pytest.approx(1, abs=0.03)
    too_extreme = probability**3 / (probability**3 + (1 - probability) ** 3)
    assert evaluation.probability_metrics(outcome, too_extreme)["calibration_slope"] == pytest.approx(1 / 3, abs=0.02)


def test_probabilities_that_do_not_differ_have_no_calibration_slope() -> None:
    outcome = np.array([True, False, False, False])
    assert np.isnan(evaluation.probability_metrics(outcome, np.full(4, 0.2))["calibration_slope"])


def test_lift_counts_ties_with_their_mean() -> None:
    outcome = np.array([True] * 5 + [False] * 5)
    ranked = np.linspace(1, 0.1, 10)
    assert evaluation.lift(outcome, ranked, share=0.2) == 2
    assert evaluation.lift(outcome, np.full(10, 0.3), share=0.2) == 1
    assert evaluation.lift(outcome, -ranked, share=0.2) == 0


def test_purchase_on_the_last_day_of_a_horizon_counts_and_the_next_does_not() -> None:
    days = np.array([0, 6, 7, np.nan])
    assert evaluation.bought_within(days, 7).tolist() == [True, True, False, False]


def test_timing_figures_are_per_horizon_and_their_mean() -> None:
    days = np.array([0, 10, 20, np.nan])
    figures = evaluation.timing_metrics(days, {7: np.array([0.9, 0.2, 0.2, 0.1]), 14: np.array([0.9, 0.8, 0.4, 0.1])})
    assert list(figures) == ["7d", "14d", "mean"]
    assert figures["mean"]["brier"] == pytest.approx((figures["7d"]["brier"] + figures["14d"]["brier"]) / 2)


def test_count_figures_can_be_checked_by_hand() -> None:
    figures = evaluation.count_metrics(np.array([0.0, 2.0]), np.array([1.0, 1.0]))
    assert figures["mae"] == 1
    assert figures["rmse"] == 1
    assert figures["poisson_deviance"] == pytest.approx((2 * 1 + 2 * (2 * np.log(2) - 1)) / 2)
    assert figures["predicted_over_actual"] == 1


def test_gain_over_itself_is_nothing_and_over_double_is_half() -> None:
    losses = np.random.default_rng(1).exponential(size=500)
    assert evaluation.relative_gain(losses, losses, seed=1) == (0, 0, 0)
    assert evaluation.relative_gain(losses, 2 * losses, seed=1) == pytest.approx((0.5, 0.5, 0.5))


def test_interval_covers_the_standard_error() -> None:
    random = np.random.default_rng(2)
    baseline = np.ones(2000)
    losses = 0.9 + random.normal(scale=0.5, size=2000)
    gain = evaluation.relative_gain(losses, baseline, seed=1)
    assert gain.high - gain.low == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(2000), rel=0.1)


def test_rows_of_one_customer_are_drawn_together() -> None:
    random = np.random.default_rng(2)
    per_customer = random.normal(1, 0.3, size=300)
    losses, baseline = np.repeat(per_customer, 10), np.ones(3000)
    customers = np.repeat(np.arange(300).astype(str), 10).tolist()
    together = evaluation.relative_gain(losses, baseline, seed=1, customers=customers)
    apart = evaluation.relative_gain(losses, baseline, seed=1)
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_interval_of_a_mean_is_about_two_standard_errors() -> None:
    values = np.random.default_rng(3).normal(5, 2, size=2500)
    interval = evaluation.mean_interval(values, seed=1)
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / 50, rel=0.1)


def test_calibration_curve_of_true_probabilities_is_the_diagonal() -> None:
    probability = np.random.default_rng(4).random(50_000)
    outcome = np.random.default_rng(5).random(50_000) < probability
    curve = evaluation.calibration_curve(outcome, probability)
    assert [group["rows"] for group in curve] == [5000] * 10
    assert all(group["actual"] == pytest.approx(group["predicted"], abs=0.03) for group in curve)


def test_concordance_of_three_customers_can_be_checked_by_hand() -> None:
    # Pairs: (3, 8) in order, (3, never) tied, (8, never) in reverse.
    days = np.array([3, 8, np.nan])
    assert evaluation.concordance(days, np.array([0.7, 0.5, 0.7])) == pytest.approx((1 + 0.5 + 0) / 3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), min_size=2, max_size=30))
def test_concordance_equals_counting_pairs(rows: list[tuple[int, int]]) -> None:
    days, risk = np.array(rows, dtype=float).T
    pairs = [(i, j) for i in range(len(days)) for j in range(len(days)) if days[i] < days[j]]
    if not pairs:
        with pytest.raises(TrainingError, match="none bought before another"):
            evaluation.concordance(days, risk)
        return
    won = [1.0 if risk[i] > risk[j] else 0.5 if risk[i] == risk[j] else 0.0 for i, j in pairs]
    assert evaluation.concordance(days, risk) == pytest.approx(np.mean(won))


def test_one_kind_of_outcome_is_one_line() -> None:
    with pytest.raises(TrainingError, match=r"^3 outcomes, 0 positive; .*another horizon$"):
        evaluation.probability_metrics(np.zeros(3, dtype=bool), np.full(3, 0.5))


def test_expected_count_of_zero_is_an_error() -> None:
    with pytest.raises(TrainingError, match="smallest expected count 0"):
        evaluation.count_metrics(np.ones(2), np.array([0.0, 1.0]))


FACTS = {
    "purpose": "When customers buy again.",
    "not_for": ["credit decisions"],
    "data": {"rows": 1200, "customers": 80},
    "as_of": "2024-05-01",
    "lake_snapshot": 17,
    "features": ["tenure_days"],
    "method": "BG/NBD alone",
    "limits": "Seasonality is untested.",
    "minimum_events": 1000,
}


def test_card_states_facts_and_figures() -> None:
    figures = {"model": {"log loss": 0.31234, "gain": (0.065, 0.04, 0.094)}, "BG/NBD": {"log loss": 0.347}}
    card = model_card.render("repurchase_timing", "v1", FACTS, figures)
    assert card.startswith("# repurchase_timing v1\n\n## Purpose\n\nWhen customers buy again.\n\n## Who must not")
    assert "## Data\n\n- rows: 1200\n- customers: 80\n" in card
    assert "## Minimum events\n\n1000\n" in card
    assert card.endswith(
        "## Figures\n\n"
        "|  | log loss | gain |\n"
        "| --- | ---: | ---: |\n"
        "| model | 0.3123 | 0.065 [0.04, 0.094] |\n"
        "| BG/NBD | 0.347 |  |\n"
    )


def test_list_of_mappings_is_a_table_in_the_card() -> None:
    rows = [{"count": 5, "lift": 2.5}, {"count": 4, "lift": 0.25}]
    card = model_card.render("response_propensity", "v1", {**FACTS, "by_tenth": rows}, {})
    assert "## By tenth\n\n|  | count | lift |\n| --- | ---: | ---: |\n| 1 | 5 | 2.5 |\n| 2 | 4 | 0.25 |\n" in card


def test_card_without_limits_is_refused() -> None:
    facts = {key: value for key, value in FACTS.items() if key != "limits"}
    with pytest.raises(TrainingError, match="model card of m lacks limits; "):
        model_card.render("m", "v1", facts, {})
