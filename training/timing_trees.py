"""The learnt part of repurchase timing: a hazard and a rate on the same columns."""

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training import linear_hazard
from training.boosting import minimum_leaf, raw_score, train_trees, tree_terms
from training.linear_hazard import LinearHazard
from training.person_periods import (
    BIN_EDGES,
    HORIZON_DAYS,
    N_BINS,
    PersonPeriods,
)
from training.survival import Survival, survival_from_logits

Floats = NDArray[np.float64]

FEATURES: tuple[str, ...] = (
    "days_since_last_purchase",
    "tenure_days",
    "purchase_days_ever",
    "gap_days_mean",
    "gap_days_sd",
    "gap_days_median",
    "gap_days_last",
    "gap_days_max",
    "longer_gap_share",
    "days_since_last_over_gap_mean",
    "days_since_last_over_gap_median",
    "decayed_purchase_days_7",
    "decayed_purchase_days_21",
    "decayed_purchase_days_60",
    "purchase_days_past_30_days",
    "purchase_days_past_90_days",
    "net_amount_past_30_days",
    "net_amount_past_90_days",
    "net_amount_per_purchase_day_mean",
    "net_amount_last_purchase_day",
    "net_amount_ever",
)
PERIOD_FEATURES: tuple[str, ...] = (
    "bin",
    "bin_start_days",
    "elapsed_days",
    "elapsed_over_gap_mean",
    "elapsed_over_gap_median",
    "elapsed_over_gap_max",
    "elapsed_at_bin_end_over_gap_mean",
)

EXPLAINED_AS = {
    "elapsed_days": "days_since_last_purchase",
    "elapsed_over_gap_mean": "days_since_last_over_gap_mean",
    "elapsed_over_gap_median": "days_since_last_over_gap_median",
    "elapsed_over_gap_max": "gap_days_max",
    "elapsed_at_bin_end_over_gap_mean": "days_since_last_over_gap_mean",
}
"""Which feature a period feature speaks for; the bin itself says nothing of a customer."""

MINIMUM_RATE_DAYS = 7
"""Rows followed up for fewer days teach the hazard only."""

RATE_ROUNDS = 150

FEWEST_HAZARD_ROUNDS, MOST_HAZARD_ROUNDS = 40, 150
PURCHASES_PER_ROUND = 700
"""With few purchases more trees learn a level that does not last; with many they find cycles (docs/adr/0026)."""


@dataclass(frozen=True)
class TimingTrees:
    """A linear hazard refined by trees, and Poisson trees for the rate.

    Attributes:
        overall_rate: purchase days per day of follow-up, where the rate trees start.
        horizon_days: the last bin edge that a follow-up reached; 90 in a long history.
    """

    linear: LinearHazard
    hazard_trees: lgb.Booster
    rate_trees: lgb.Booster
    overall_rate: float
    horizon_days: int

    def survival(self, values: Floats) -> Survival:
        """Survival to horizon_days; values of shape (n, len(FEATURES))."""
        logits = self.linear.logits(values)
        for bin_ in range(N_BINS):
            inputs = _period_inputs(values, np.full(len(values), bin_))
            logits[:, bin_] += raw_score(self.hazard_trees, inputs)
        return self._chained(logits)

    def linear_survival(self, values: Floats) -> Survival:
        """As `survival`, by the linear hazard without the trees."""
        return self._chained(self.linear.logits(values))

    def _chained(self, logits: Floats) -> Survival:
        """Of the bins that a follow-up reached: nothing was learnt of later ones."""
        edges = [edge for edge in BIN_EDGES if edge <= self.horizon_days]
        return survival_from_logits(logits[:, : len(edges) - 1], edges)

    def hazard_terms(self, values: Floats, horizon: int) -> tuple[Floats, Floats]:
        """The log odds of buying in a bin, on the mean over the bins that begin within a horizon, taken apart.

        Returns:
            What the bins give by themselves, shape (n,), and what each of FEATURES adds, shape (n, len(FEATURES)).
        """
        bins = [bin_ for bin_, day in enumerate(BIN_EDGES[:-1]) if day < min(horizon, self.horizon_days)]
        constant, terms = self.linear.terms(values, bins)
        base = np.full(len(values), constant)
        position = {name: place for place, name in enumerate(FEATURES)}
        for bin_ in bins:
            start, added = tree_terms(self.hazard_trees, _period_inputs(values, np.full(len(values), bin_)))
            base += start / len(bins)
            for name, column in zip((*FEATURES, *PERIOD_FEATURES), added.T, strict=True):
                place = position.get(EXPLAINED_AS.get(name, name))
                (base if place is None else terms[:, place])[:] += column / len(bins)
        return base, terms

    def daily_rate(self, values: Floats) -> Floats:
        """Expected purchase days per day, shape (n,)."""
        return self.overall_rate * np.exp(raw_score(self.rate_trees, values))


def fit(
    values: Floats,
    periods: PersonPeriods,
    follow_up_days: Floats,
    purchase_days: Floats,
    *,
    seed: int,
) -> TimingTrees:
    """Learn both.

    Args:
        values: shape (n, len(FEATURES)).
        periods: person-period rows of these n rows.
        follow_up_days: shape (n,). Whole days from the observation date to the cut.
        purchase_days: shape (n,). In the first min(follow_up_days, 90) days.
    """
    linear, hazard_trees = _fit_hazard(values, periods, seed)
    rate_trees, overall_rate = _fit_rate(values, follow_up_days, purchase_days, seed)
    horizon_days = max(edge for edge in BIN_EDGES if edge <= follow_up_days.max())
    return TimingTrees(linear, hazard_trees, rate_trees, overall_rate, horizon_days)


def hazard_rounds(purchases: int) -> int:
    """How many trees refine the linear hazard, by the number of purchases to learn from."""
    return min(max(purchases // PURCHASES_PER_ROUND, FEWEST_HAZARD_ROUNDS), MOST_HAZARD_ROUNDS)


def _fit_hazard(values: Floats, periods: PersonPeriods, seed: int) -> tuple[LinearHazard, lgb.Booster]:
    linear = linear_hazard.fit(values, periods)
    trees = train_trees(
        _period_inputs(values[periods.row], periods.bin),
        periods.bought,
        rounds=hazard_rounds(int(periods.bought.sum())),
        start=linear.logits(values)[periods.row, periods.bin],
        seed=seed,
        names=[*FEATURES, *PERIOD_FEATURES],
        parameters={
            "objective": "binary",
            "min_data_in_leaf": minimum_leaf(len(periods.row)),
        },
    )
    return linear, trees


def _fit_rate(values: Floats, follow_up: Floats, purchases: Floats, seed: int) -> tuple[lgb.Booster, float]:
    long_enough = follow_up >= MINIMUM_RATE_DAYS
    days = np.minimum(follow_up[long_enough], HORIZON_DAYS)
    count = purchases[long_enough]
    overall_rate = float(count.sum() / days.sum())
    trees = train_trees(
        values[long_enough],
        count,
        rounds=RATE_ROUNDS,
        start=np.log(days * overall_rate),
        seed=seed,
        names=list(FEATURES),
        parameters={
            "objective": "poisson",
            "min_data_in_leaf": minimum_leaf(len(count)),
        },
    )
    return trees, overall_rate


def _period_inputs(values: Floats, bins: NDArray[np.intp]) -> NDArray[np.float32]:
    """FEATURES and PERIOD_FEATURES of rows in the given bins, shape (n, 28)."""
    start, end = np.array(BIN_EDGES[:-1])[bins], np.array(BIN_EDGES[1:])[bins]
    mean, median, longest = (values[:, FEATURES.index(f"gap_days_{name}")] for name in ("mean", "median", "max"))
    # Distinct days lie at least one day apart; a gap of 0 is no gap.
    mean, median, longest = (np.where(gap > 0, gap, np.nan) for gap in (mean, median, longest))
    since_last = values[:, FEATURES.index("days_since_last_purchase")]
    elapsed, elapsed_at_end = since_last + start, since_last + end
    columns = [
        bins,
        start,
        elapsed,
        elapsed / mean,
        elapsed / median,
        elapsed / longest,
        elapsed_at_end / mean,
    ]
    return np.column_stack([values, *columns]).astype(np.float32)
