"""Figures of merit: how well predictions made before a date fit what happened after it.

Outcomes are known for every customer scored; `outcome` and `probability` have shape
(n,) throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    roc_auc_score,
)

from training.calibration import fit_line
from training.errors import TrainingError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CERTAINTY = 1e-6
"""Probabilities are kept this far from 0 and 1 where a logarithm is taken."""


class Interval(NamedTuple):
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def bought_within(days_to_next_purchase: Floats, horizon: int) -> Flags:
    """Outcome of a horizon: a purchase in days 0 to horizon - 1; nan: none."""
    return np.asarray(days_to_next_purchase < horizon)


def log_losses(outcome: Flags, probability: Floats) -> Floats:
    """Log loss of each row, shape (n,)."""
    kept = np.clip(probability, CERTAINTY, 1 - CERTAINTY)
    return np.asarray(-np.log(np.where(outcome, kept, 1 - kept)))


def probability_metrics(outcome: Flags, probability: Floats) -> dict[str, float]:
    """Figures of one set of probabilities.

    Returns:
        log_loss, brier, auc, average_precision, calibration_slope (of the outcome on
        the log odds; 1 is right, below 1 too extreme, nan: all are alike),
        predicted_over_actual (sums), lift_at_10_percent (rate in the top tenth over the
        overall rate).

    Raises:
        TrainingError: all outcomes are the same, so most figures are undefined.
    """
    outcome = np.asarray(outcome, dtype=bool)
    if outcome.all() or not outcome.any():
        raise TrainingError(
            f"{len(outcome)} outcomes, {int(outcome.sum())} positive; expected both "
            "kinds: evaluate on more customers or another horizon"
        )
    kept = np.clip(probability, CERTAINTY, 1 - CERTAINTY)
    return {
        "log_loss": float(log_losses(outcome, probability).mean()),
        "brier": float(((probability - outcome) ** 2).mean()),
        "auc": float(roc_auc_score(outcome, probability)),
        "average_precision": float(average_precision_score(outcome, probability)),
        "calibration_slope": fit_line(np.log(kept / (1 - kept)), outcome).slope if np.ptp(kept) else np.nan,
        "predicted_over_actual": float(probability.sum() / outcome.sum()),
        "lift_at_10_percent": lift(outcome, probability, share=0.1),
    }


def lift(outcome: Flags | Floats, probability: Floats, *, share: float) -> float:
    """Rate, or mean amount, of the outcome among the top `share`, over the overall rate.

    Rows tied at the border count with the mean of their outcomes.
    """
    size = share * len(outcome)
    values, group = np.unique(-probability, return_inverse=True)
    count = np.bincount(group, minlength=len(values))
    rate = np.bincount(group, weights=outcome, minlength=len(values)) / count
    taken = np.clip(size - (np.cumsum(count) - count), 0, count)
    return float((rate * taken).sum() / size / outcome.mean())


def timing_metrics(days_to_next_purchase: Floats, probabilities: Mapping[int, Floats]) -> dict[str, dict[str, float]]:
    """`probability_metrics` for each horizon (keys "7d", …) and their mean ("mean").

    Args:
        days_to_next_purchase: shape (n,). nan: none within the longest horizon.
        probabilities: for each horizon in days, shape (n,).
    """
    by_horizon = {
        f"{horizon}d": probability_metrics(bought_within(days_to_next_purchase, horizon), probability)
        for horizon, probability in probabilities.items()
    }
    names = next(iter(by_horizon.values()))
    mean = {name: float(np.mean([figures[name] for figures in by_horizon.values()])) for name in names}
    return {**by_horizon, "mean": mean}


def count_metrics(actual: Floats, expected: Floats) -> dict[str, float]:
    """Figures of expected counts (> 0) beside actual ones, both of shape (n,).

    Returns:
        mae, rmse, poisson_deviance (mean), predicted_over_actual (sums). The mae rewards
        a median, 0 for most customers: don't judge expected counts by it alone.

    Raises:
        TrainingError: an expected count is not positive, or nothing was bought.
    """
    actual = np.asarray(actual, dtype=np.float64)
    if not (expected > 0).all() or not actual.any():
        raise TrainingError(
            f"smallest expected count {expected.min():g}, {actual.sum():g} purchases; "
            "expected both positive: evaluate on customers that can buy"
        )
    ratio = np.where(actual > 0, actual, 1.0) / expected
    deviance = 2 * (np.where(actual > 0, actual * np.log(ratio), 0) - actual + expected)
    return {
        "mae": float(np.abs(expected - actual).mean()),
        "rmse": float(np.sqrt(((expected - actual) ** 2).mean())),
        "poisson_deviance": float(deviance.mean()),
        "predicted_over_actual": float(expected.sum() / actual.sum()),
    }


def mean_log_losses(days_to_next_purchase: Floats, probabilities: Mapping[int, Floats]) -> Floats:
    """Log loss of each customer, averaged over the horizons; shape (n,)."""
    losses = [
        log_losses(bought_within(days_to_next_purchase, horizon), probability)
        for horizon, probability in probabilities.items()
    ]
    return np.asarray(np.mean(losses, axis=0))


def relative_gain(
    losses: Floats,
    baseline_losses: Floats,
    *,
    seed: int,
    customers: Sequence[str] | None = None,
    resamples: int = 1000,
) -> Interval:
    """How much lower the mean loss is than a baseline's, as a share of the baseline's.

    Paired bootstrap over customers: a customer is drawn with all her rows and with both
    losses, so what is common to both models cancels.

    Args:
        losses, baseline_losses: shape (n,). Of the same rows in the same order.
        customers: shape (n,). Whose row it is; None: each row is a customer of its own.

    Returns:
        1 - mean(losses) / mean(baseline_losses); > 0 is better than the baseline.
    """
    ours, theirs = (_per_customer(values, customers) for values in (losses, baseline_losses))
    return _bootstrap(
        1 - ours.sum() / theirs.sum(),
        lambda drawn: 1 - ours[drawn].sum() / theirs[drawn].sum(),
        len(ours),
        seed,
        resamples,
    )


def mean_interval(
    values: Floats, *, seed: int, customers: Sequence[str] | None = None, resamples: int = 1000
) -> Interval:
    """Mean of a figure that each row has one of, such as its log loss, by bootstrap over customers as above.

    Of differences between two models' losses it is the paired interval.
    """
    total, count = (_per_customer(one, customers) for one in (values, np.ones(len(values))))
    return _bootstrap(
        total.sum() / count.sum(), lambda drawn: total[drawn].sum() / count[drawn].sum(), len(total), seed, resamples
    )


def _per_customer(values: Floats, customers: Sequence[str] | None) -> Floats:
    """Sums over the rows of each customer."""
    if customers is None:
        return np.asarray(values, dtype=np.float64)
    whose = np.unique(np.asarray(customers, dtype=str), return_inverse=True)[1]
    return np.bincount(whose, values).astype(np.float64)


def _bootstrap(
    estimate: float, statistic: Callable[[NDArray[np.intp]], float], n: int, seed: int, resamples: int
) -> Interval:
    """The estimate and quantiles of a statistic of n rows drawn with replacement."""
    random = np.random.default_rng(seed)
    values = [statistic(random.integers(n, size=n)) for _ in range(resamples)]
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(estimate), float(low), float(high))


def calibration_curve(outcome: Flags, probability: Floats, *, groups: int = 10) -> list[dict[str, float]]:
    """Predicted beside actual rates, in groups of equally many rows by probability, lowest first.

    Returns:
        For each group rows, predicted (mean probability) and actual (rate of the outcome). Rows with equal
        probabilities may be shared out between groups.
    """
    parts = np.array_split(np.argsort(probability, kind="stable"), groups)
    return [
        {
            "rows": len(part),
            "predicted": float(probability[part].mean()),
            "actual": float(np.asarray(outcome)[part].mean()),
        }
        for part in parts
        if len(part)
    ]


def concordance(days_to_next_purchase: Floats, risk: Floats) -> float:
    """Harrell's C: how often, of two customers, the one with more risk bought first.

    Args:
        days_to_next_purchase: shape (n,). Whole days; nan: none in a follow-up that is
            the same for all.
        risk: shape (n,). Higher: expected to buy sooner. Ties count one half.

    Raises:
        TrainingError: no two customers bought at different times.

    Source:
        Harrell et al. (1982), "Evaluating the Yield of Medical Tests", JAMA 247.
    """
    days = np.where(np.isnan(days_to_next_purchase), np.inf, days_to_next_purchase)
    concordant, pairs = 0.0, 0
    for day in np.unique(days[np.isfinite(days)]):
        first, later = risk[days == day], np.sort(risk[days > day])
        below = np.searchsorted(later, first, side="left")
        not_above = np.searchsorted(later, first, side="right")
        concordant += float((below + not_above).sum()) / 2
        pairs += len(first) * len(later)
    if pairs == 0:
        raise TrainingError(
            f"{len(days)} customers, none bought before another; expected purchases "
            "on different days: evaluate on more customers"
        )
    return concordant / pairs
