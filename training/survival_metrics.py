"""Figures of whole survival curves where some customers are followed up for longer than others."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError

Floats = NDArray[np.float64]

SMALLEST_SHARE = 0.05
"""Where fewer are still followed up, each stands for more than 20 others: no figure."""


def integrated_brier(days_to_next_purchase: Floats, follow_up_days: Floats, bought_by: Mapping[int, Floats]) -> float:
    """Integrated Brier score: squared error of P(bought by day t), averaged over t.

    A customer whose follow-up ended before t without a purchase says nothing about t; those who remain, and those who
    had bought, stand for her as well, by inverse probability of censoring weights.

    Args:
        days_to_next_purchase: shape (n,). Whole days; nan: none in the follow-up.
        follow_up_days: shape (n,). Days 0 to follow_up_days - 1 were seen.
        bought_by: for rising t >= 1, shape (n,): probability of a purchase in days 0 to t - 1. The trapezium from day
            0, where the error is 0, to the last t is divided by the last t.

    Raises:
        TrainingError: fewer than SMALLEST_SHARE of the customers are followed up to a t.

    Source:
        Graf et al. (1999), "Assessment and Comparison of Prognostic Classification Schemes", Statistics in Medicine 18.
    """
    bought_on = np.where(days_to_next_purchase < follow_up_days, days_to_next_purchase, np.inf)
    followed = share_followed(follow_up_days, bought_on)
    scores = [0.0, *(_brier(day, bought_on, follow_up_days, p, followed) for day, p in bought_by.items())]
    days = np.array([0, *bought_by], dtype=np.float64)
    return float(np.trapezoid(scores, days) / days[-1])


def share_followed(follow_up_days: Floats, bought_on: Floats) -> Floats:
    """Kaplan-Meier estimate of the share still followed up on each day, whether or not they bought.

    Args:
        bought_on: shape (n,). inf: not in the follow-up. After her purchase nobody knows how long a customer would
            have been followed up.

    Returns:
        Shape (longest follow-up + 1,). At t: chance that days 0 to t - 1 are all seen; 1 at 0.
    """
    last = int(follow_up_days.max())
    ends = np.where(np.isfinite(bought_on), bought_on + 1, follow_up_days).astype(np.intp)
    left = np.bincount(ends, minlength=last + 1)
    censored = np.bincount(ends[np.isinf(bought_on)], minlength=last + 1)
    # Whether a buyer's own follow-up would have ended on the day she bought is unknown.
    at_risk = len(ends) - np.cumsum(left) + censored
    stays = 1 - censored / np.maximum(at_risk, 1)
    # Who is followed up for t days is seen on days 0 to t - 1.
    return np.concatenate([[1.0], np.cumprod(stays)[:-1]])


def _brier(day: int, bought_on: Floats, follow_up: Floats, probability: Floats, followed: Floats) -> float:
    """Weighted Brier score of buying in days 0 to day - 1."""
    if day >= len(followed) or followed[day] < SMALLEST_SHARE:
        raise TrainingError(
            f"fewer than {SMALLEST_SHARE:.0%} of {len(follow_up)} customers are followed up for {day} days: "
            "evaluate nearer horizons or an earlier date"
        )
    bought = bought_on < day
    open_to = bought | (follow_up >= day)
    seen_days = np.where(bought, bought_on + 1, day).astype(np.intp)
    weight = np.where(open_to, 1 / followed[seen_days], 0.0)
    return float((weight * (probability - bought) ** 2).sum() / len(bought))
