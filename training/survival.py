"""Survival curves: the probability of no purchase yet, day by day."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Survival(NamedTuple):
    """Survival of n customers on a grid of days, with constant hazard between them.

    Attributes:
        days: shape (k,). Rises from 0.
        log_values: shape (n, k). Log probability of no purchase in the days before
            each grid day; 0 at day 0, never rises along a row.
    """

    days: Floats
    log_values: Floats

    def at(self, day: float) -> Floats:
        """Probability of no purchase in days 0 to `day` - 1; shape (n,).

        Beyond the grid it stays at its last value: the caller adds a tail.
        """
        end = min(max(int(np.searchsorted(self.days, day)), 1), len(self.days) - 1)
        width = self.days[end] - self.days[end - 1]
        share = min((day - self.days[end - 1]) / width, 1.0)
        low, high = self.log_values[:, end - 1], self.log_values[:, end]
        survival: Floats = np.exp((1 - share) * low + share * high)
        return survival

    def median_days(self) -> Floats:
        """First whole day with survival <= 0.5; nan where the grid ends before."""
        half = np.log(0.5)
        crossed = self.log_values <= half
        end = np.where(crossed.any(axis=1), crossed.argmax(axis=1), 1)
        rows = np.arange(len(end))
        low, high = self.log_values[rows, end - 1], self.log_values[rows, end]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (half - low) / (high - low)
        day = self.days[end - 1] + share * (self.days[end] - self.days[end - 1])
        # Rounded first, lest 14.000000000000002 become day 15.
        whole = np.ceil(np.round(day, 9))
        return np.where(crossed.any(axis=1), whole, np.nan)


def survival_from_logits(logits: Floats, edges: Sequence[int]) -> Survival:
    """Chain the hazards of successive bins into a survival curve.

    Args:
        logits: shape (n, n_bins). Log odds of buying in a bin, given none before.
        edges: n_bins + 1 days that bound the bins, the first 0.
    """
    log_none = -np.logaddexp(0.0, logits)
    start = np.zeros((len(logits), 1))
    log_values = np.hstack([start, np.cumsum(log_none, axis=1)])
    return Survival(np.array(edges, dtype=np.float64), log_values)
