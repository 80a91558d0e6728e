"""Repurchase timing: rows that teach, coherence of scores, saving, messages."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training import bg_nbd, repurchase_timing, timing_trees
from training.errors import TrainingError
from training.first_purchase import FirstPurchase
from training.person_periods import person_periods
from training.repurchase_timing import FEATURES, LABELS, RepurchaseTimingModel
from training.survival import survival_from_logits

HORIZONS = [1, 7, 30, 90, 91, 180, 1000]
CUT = 330


def purchase_histories(n_customers: int) -> list[np.ndarray]:
    """Purchase days of customers with their own mean gap, some of whom leave."""
    random = np.random.default_rng(7)
    histories = []
    for _ in range(n_customers):
        gaps = np.ceil(random.gamma(3, random.gamma(2, 5), size=random.geometric(0.06)))
        histories.append(random.integers(0, 120) + np.concatenate([[0], np.cumsum(np.maximum(gaps, 1))]))
    return histories


def observed(days: np.ndarray, day: int) -> dict[str, float]:
    """Features and labels of one customer as of one day; amounts are 10 a purchase day."""
    past, future = days[days < day], days[(days >= day) & (days < CUT)]
    ages, gaps = day - past, np.diff(past).astype(float)
    since, tenure = float(ages.min()), float(ages.max())
    known = gaps if len(gaps) else np.array([np.nan])
    row = {
        "days_since_last_purchase": since,
        "tenure_days": tenure,
        "purchase_days_ever": len(past),
        "gap_days_mean": known.mean(),
        "gap_days_sd": gaps.std(ddof=1) if len(gaps) > 1 else np.nan,
        "gap_days_median": np.median(known),
        "gap_days_last": known[-1],
        "gap_days_max": known.max(),
        "longer_gap_share": (known > since).mean() if len(gaps) else np.nan,
        "days_since_last_over_gap_mean": since / known.mean(),
        "days_since_last_over_gap_median": since / np.median(known),
        **{f"decayed_purchase_days_{tau}": np.exp(-ages / tau).sum() for tau in (7, 21, 60)},
        **{f"purchase_days_past_{n}_days": (ages <= n).sum() for n in (30, 90)},
        **{f"net_amount_past_{n}_days": 10.0 * (ages <= n).sum() for n in (30, 90)},
        "net_amount_per_purchase_day_mean": 10.0,
        "net_amount_last_purchase_day": np.nan if since == 3 else 10.0,
        "net_amount_ever": 10.0 * len(past),
        "frequency": len(past) - 1,
        "recency_days": tenure - since,
        "days_to_next_purchase": future.min() - day if len(future) else np.nan,
        "follow_up_days": CUT - day,
        "purchase_days_in_window": (future < day + 90).sum(),
    }
    return {name: float(value) for name, value in row.items()}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    histories = purchase_histories(500)
    dates = range(CUT - 7, 120, -28)
    return pd.DataFrame([observed(h, day) for day in dates for h in histories if h[0] < day])


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame) -> RepurchaseTimingModel:
    return repurchase_timing.fit(rows, rows[list(LABELS)], seed=1)


@pytest.fixture(scope="module")
def small_model(rows: pd.DataFrame) -> RepurchaseTimingModel:
    few = rows[rows["follow_up_days"] == 7].head(60)
    return repurchase_timing.fit(few, few[list(LABELS)], seed=1)


def test_person_periods_can_be_checked_by_hand() -> None:
    # Bins: 0-3, 3-7, 7-14, 14-21, ... A: bought on day 8, followed for 35. B: none in 20 days. C: bought on day 5 of
    # 6, in a bin the cut divides. D: bought on the observation date. E: observed on the cut.
    days = np.array([8, np.nan, 5, 0, np.nan])
    follow_up = np.array([35, 20, 6, 6, 0])
    periods = person_periods(days, follow_up)
    assert list(zip("AAABBBCD", [0, 1, 2, 0, 1, 2, 0, 0], [0, 0, 1, 0, 0, 0, 0, 1], strict=True)) == [
        ("ABCDE"[row], bin_, bought) for row, bin_, bought in zip(*periods, strict=True)
    ]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 120)), min_size=1, max_size=30))
def test_purchases_after_the_cut_never_enter(pairs: list[tuple[int, int]]) -> None:
    days, follow_up = np.array(pairs, dtype=float).T
    unseen = np.where(days >= follow_up, np.nan, days)
    for told, blind in zip(person_periods(days, follow_up), person_periods(unseen, follow_up), strict=True):
        assert np.array_equal(told, blind)


def test_model_does_not_change_with_purchases_after_the_cut(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    late = rows["days_to_next_purchase"].fillna(rows["follow_up_days"] + 1)
    told = repurchase_timing.fit(rows, rows.assign(days_to_next_purchase=late), seed=1)
    pd.testing.assert_frame_equal(told.predict(rows, HORIZONS), model.predict(rows, HORIZONS), check_exact=True)


def test_survival_shares_out_a_bin_and_finds_the_median() -> None:
    # One half buys in days 0-2, one half of the rest in days 3-6.
    survival = survival_from_logits(np.zeros((1, 2)), (0, 3, 7))
    assert [survival.at(day)[0] for day in (3, 5, 7)] == pytest.approx([0.5, 0.5 * 0.5**0.5, 0.25])
    assert survival.median_days()[0] == 3


def test_median_beyond_the_curve_is_null() -> None:
    survival = survival_from_logits(np.array([[-3.0, -3.0]]), (0, 3, 7))
    assert np.isnan(survival.median_days()[0])


def customers() -> st.SearchStrategy[dict[str, float]]:
    """Any features, also strange ones, with a possible history: at most one purchase day a day."""
    number = st.one_of(st.just(np.nan), st.integers(-(10**9), 10**9).map(lambda thousandths: thousandths / 1000))
    history = st.lists(st.integers(0, 1000), min_size=3, max_size=3).map(sorted)
    return st.builds(
        lambda values, past: {
            **dict(zip(FEATURES, values, strict=True)),
            "frequency": past[0],
            "recency_days": past[1] if past[0] else 0,
            "tenure_days": past[2] + 1,
        },
        st.lists(number, min_size=len(FEATURES), max_size=len(FEATURES)),
        history,
    )


@pytest.mark.parametrize("which", ["model", "small_model"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(customer=customers())
def test_scores_of_any_customer_agree(which: str, customer: dict[str, float], request: pytest.FixtureRequest) -> None:
    scores = request.getfixturevalue(which).predict(pd.DataFrame([customer]), HORIZONS).iloc[0]
    probabilities = np.array([scores[f"p_repurchase_{h}d"] for h in HORIZONS])
    expected = np.array([scores[f"expected_purchases_{h}d"] for h in HORIZONS])
    assert (probabilities >= 0).all()
    assert (np.diff(probabilities) >= -1e-12).all()
    assert probabilities[-1] <= scores["p_alive"] + 1e-12 <= 1 + 2e-12
    assert (expected > 0).all()
    assert (expected >= probabilities - 1e-12).all()
    assert np.isnan(scores["median_days_to_repurchase"]) == (scores["p_repurchase_90d"] < 0.5)


@pytest.mark.parametrize("which", ["model", "small_model"])
def test_one_time_buyers_are_less_alive_the_longer_they_stay_away(
    which: str, rows: pd.DataFrame, request: pytest.FixtureRequest
) -> None:
    once = rows[rows["frequency"] == 0].iloc[[0, 0, 0]].reset_index(drop=True)
    days = np.array([20.0, 200.0, 2000.0])
    away = once.assign(days_since_last_purchase=days, tenure_days=days)
    alive = request.getfixturevalue(which).predict(away, [30])["p_alive"].to_numpy()
    assert (np.diff(alive) < 0).all()
    assert alive[-1] < 1


def test_overdue_regulars_are_less_likely_than_those_on_time(model: RepurchaseTimingModel, rows: pd.DataFrame) -> None:
    regular = rows[rows["purchase_days_ever"] >= 5]
    ratio = regular["days_since_last_over_gap_mean"]
    scores = model.predict(regular, [30])["p_repurchase_30d"]
    assert scores[ratio > 4].mean() < scores[ratio < 1].mean() / 2


def test_predicted_buyers_are_about_as_many_as_bought(model: RepurchaseTimingModel, rows: pd.DataFrame) -> None:
    seen = rows[rows["follow_up_days"] >= 90]
    scores = model.predict(seen, [30, 90])
    assert scores["p_repurchase_30d"].sum() == pytest.approx((seen["days_to_next_purchase"] < 30).sum(), rel=0.15)
    assert scores["expected_purchases_90d"].sum() == pytest.approx(seen["purchase_days_in_window"].sum(), rel=0.15)


def test_shuffled_labels_teach_nothing(rows: pd.DataFrame) -> None:
    seen = rows[rows["follow_up_days"] >= 30].reset_index(drop=True)
    labels = seen[list(LABELS)].sample(frac=1, random_state=5).reset_index(drop=True)
    # Each label keeps its own follow-up, so only the tie between a customer and her future is cut.
    half = len(seen) // 2
    model = repurchase_timing.fit(seen.head(half), labels.head(half), seed=1)
    scores = model.predict(seen.tail(len(seen) - half), [30])["p_repurchase_30d"]
    bought = labels["days_to_next_purchase"].tail(len(seen) - half) < 30
    assert model.trees is not None
    assert roc_auc_score(bought, scores) == pytest.approx(0.5, abs=0.06)


def test_duplicate_rows_of_a_customer_are_scored_alike(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    twice = pd.concat([rows.head(2), rows.head(2)])
    scores = model.predict(twice, [30])
    pd.testing.assert_frame_equal(scores.head(2), scores.tail(2), check_exact=True)


def test_infinite_value_is_named(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    broken = rows.head(3).assign(net_amount_ever=[1.0, np.inf, 2.0])
    with pytest.raises(TrainingError, match=r"^column net_amount_ever is infinite in row 1; expected finite numbers"):
        model.predict(broken, [30])


def test_constant_and_unknown_columns_do_no_harm(rows: pd.DataFrame) -> None:
    bare = rows.assign(gap_days_sd=np.nan, net_amount_ever=1.0)
    scores = repurchase_timing.fit(bare, bare[list(LABELS)], seed=1).predict(bare, [30])
    assert scores.drop(columns="median_days_to_repurchase").notna().all(axis=None)


def test_same_seed_gives_the_same_scores(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    again = repurchase_timing.fit(rows, rows[list(LABELS)], seed=1)
    pd.testing.assert_frame_equal(again.predict(rows, HORIZONS), model.predict(rows, HORIZONS), check_exact=True)


@pytest.mark.parametrize("which", ["model", "small_model"])
def test_loaded_model_scores_equal_to_the_last_bit(
    which: str, rows: pd.DataFrame, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    saved = replace(request.getfixturevalue(which), first_purchase=FirstPurchase(0.6, 1.5, 60.1))
    repurchase_timing.save(saved, tmp_path / "new" / "folder")
    loaded = repurchase_timing.load(tmp_path / "new" / "folder")
    pd.testing.assert_frame_equal(loaded.predict(rows, HORIZONS), saved.predict(rows, HORIZONS), check_exact=True)
    assert loaded.metadata == saved.metadata
    assert loaded.first_purchase == saved.first_purchase


def test_few_purchases_leave_the_bg_nbd_alone(small_model: RepurchaseTimingModel, rows: pd.DataFrame) -> None:
    assert small_model.trees is None
    assert small_model.metadata["method"].startswith("BG/NBD alone: fewer than 1000 rows of customer and date with a ")
    x, t_x, tenure = (rows[name].to_numpy() for name in ("frequency", "recency_days", "tenure_days"))
    for horizon in (7, 90, 180):
        direct = bg_nbd.probability_of_purchase(small_model.bg_nbd, x, t_x, tenure, horizon)
        scored = small_model.predict(rows, [horizon])[f"p_repurchase_{horizon}d"]
        assert scored.to_numpy() == pytest.approx(direct, abs=1e-9)


@pytest.mark.parametrize("days_to_next", [0.0, np.nan])
def test_one_kind_of_outcome_leaves_the_bg_nbd_alone(rows: pd.DataFrame, days_to_next: float) -> None:
    """Everybody bought on the observation date, or nobody ever after."""
    alike = rows.assign(days_to_next_purchase=days_to_next, purchase_days_in_window=float(days_to_next == 0))
    model = repurchase_timing.fit(alike, alike[list(LABELS)], seed=1)
    assert model.trees is None
    assert model.metadata["method"].startswith("BG/NBD alone: ")
    assert model.predict(rows, HORIZONS).drop(columns="median_days_to_repurchase").notna().all(axis=None)


def test_short_follow_up_shortens_the_learnt_curve(rows: pd.DataFrame) -> None:
    recent = pd.concat([rows[rows["follow_up_days"] <= 63]] * 3)
    short = repurchase_timing.fit(recent, recent, seed=1)
    assert short.trees is not None
    assert short.metadata["extrapolated_beyond_days"] == 60
    assert "p_repurchase_90d" in short.predict(recent, [30, 90]).attrs["extrapolated"]


def test_short_follow_up_is_said_of_the_bg_nbd_alone_too(
    small_model: RepurchaseTimingModel, rows: pd.DataFrame
) -> None:
    assert small_model.learnt_days == 7
    assert small_model.predict(rows.head(1), [7, 14]).attrs["extrapolated"] == [
        "p_repurchase_14d",
        "expected_purchases_14d",
    ]


def test_index_is_kept_and_long_horizons_are_named(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    few = rows.head(3).set_axis(["x", "y", "z"])
    scores = model.predict(few, [90, 180])
    assert list(scores.index) == ["x", "y", "z"]
    assert scores.attrs["extrapolated"] == ["p_repurchase_180d", "expected_purchases_180d"]


def test_missing_column_is_named(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    with pytest.raises(TrainingError, match=r"^missing column gap_days_sd; .*retrain the model$"):
        model.predict(rows.drop(columns="gap_days_sd"), [30])


def test_text_in_a_number_column_is_named(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    with pytest.raises(TrainingError, match="column gap_days_sd has type object; expected numbers"):
        model.predict(rows.assign(gap_days_sd="many"), [30])


def test_horizon_of_no_days_is_an_error(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    with pytest.raises(TrainingError, match=r"^horizons \[0\]: .*, each of 1 to 3650 whole days: ask for others$"):
        model.predict(rows, [0])


def test_horizon_beyond_reason_is_an_error(rows: pd.DataFrame, model: RepurchaseTimingModel) -> None:
    with pytest.raises(TrainingError, match=r"horizons \[30, 3651\]: .*, each of 1 to 3650 whole days"):
        model.predict(rows, [30, 3651])


@pytest.mark.parametrize("horizons", [[], [7.5], [30.0], ["30"], [float("nan")]])
def test_horizons_are_whole_days(model: RepurchaseTimingModel, rows: pd.DataFrame, horizons: list[int]) -> None:
    """A column p_repurchase_7.5d fits no table, and those who never bought are counted by the day."""
    known = replace(model, first_purchase=FirstPurchase(0.6, 1.5, 60.0))
    for predict, features in ((known.predict, rows), (known.predict_first, pd.DataFrame({"known_days": [3.0]}))):
        with pytest.raises(TrainingError, match=r"^horizons \[.*\]: expected some, each of 1 to 3650 whole days"):
            predict(features, horizons)


def test_labels_must_match_features(rows: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"feature rows, 5 label rows; expected as many"):
        repurchase_timing.fit(rows, rows.head(5), seed=1)


def test_folder_without_a_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no model at .*train it first"):
        repurchase_timing.load(tmp_path)


def test_more_trees_where_there_are_more_purchases_to_learn_from() -> None:
    assert [timing_trees.hazard_rounds(purchases) for purchases in (0, 28_000, 70_000, 10**7)] == [40, 40, 100, 150]
