"""Cox regression: one baseline hazard for all, times a factor of each customer's features.

The best known model of survival, and our baseline: how much does it cost that a factor holds at all times alike?

Source:
    Cox (1972), "Regression Models and Life-Tables", JRSS B 34(2); Breslow's treatment of ties and baseline.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.linear_inputs import LinearInputs, learn_linear_inputs

Floats = NDArray[np.float64]

PENALTY = 1.0
"""Of half the sum of squared coefficients: as good as none, but collinear inputs are solved."""

ROUNDS = 50


class Cox(NamedTuple):
    """Coefficients of linear inputs, and the baseline.

    Attributes:
        slope: shape (k,).
        hazard: shape (longest follow-up,). Of a customer with average inputs on day 0, 1, …, given none before.
    """

    inputs: LinearInputs
    slope: Floats
    hazard: Floats

    def probability_of_purchase(self, values: Floats, horizon: int) -> Floats:
        """Probability of a purchase within `horizon` days, shape (n,); values of shape (n, number of features).

        Raises:
            TrainingError: the horizon is longer than the longest follow-up that was learnt from.
        """
        if horizon > len(self.hazard):
            raise TrainingError(f"horizon {horizon}: the longest follow-up was {len(self.hazard)} days: ask for less")
        cumulative = np.exp(self.inputs.matrix(values) @ self.slope) * self.hazard[:horizon].sum()
        return np.asarray(-np.expm1(-cumulative))


def fit(values: Floats, days_to_next: Floats, follow_up_days: Floats) -> Cox:
    """Learn from rows followed up until they bought or the follow-up ended.

    Args:
        values: shape (n, number of features); nan: unknown.
        days_to_next: shape (n,). nan: none seen.
        follow_up_days: shape (n,). Rows with 0 teach nothing.

    Raises:
        TrainingError: nobody bought, or Newton's method did not settle.
    """
    bought = days_to_next < follow_up_days
    if not bought.any():
        raise TrainingError(f"{len(values)} rows, none with a purchase: train on a longer follow-up")
    # The last day on which a row was at risk.
    last = np.where(bought, days_to_next, follow_up_days - 1)
    order = np.argsort(-last, kind="stable")[: int((last >= 0).sum())]
    inputs = learn_linear_inputs(values)
    days, z, event = last[order].astype(np.intp), inputs.matrix(values)[order], bought[order]
    slope = _slope(days, z, event)
    return Cox(inputs, slope, _baseline(days, np.exp(z @ slope), event))


def _slope(days: NDArray[np.intp], z: Floats, event: NDArray[np.bool_]) -> Floats:
    """Newton's method on the partial likelihood."""
    slope = np.zeros(z.shape[1])
    for _ in range(ROUNDS):
        gradient, curvature = _derivatives(slope, days, z, event)
        step = np.linalg.solve(curvature, gradient)
        # Long steps overshoot where a factor is large.
        slope += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            return slope
    raise TrainingError(
        f"Cox regression did not settle in {ROUNDS} rounds; expected steps below 1e-6: use fewer inputs"
    )


def _derivatives(slope: Floats, days: NDArray[np.intp], z: Floats, event: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Gradient (k,) and negative Hessian (k, k); rows from the latest day to the earliest."""
    weight = np.exp(z @ slope)
    gradient, curvature = -PENALTY * slope, PENALTY * np.eye(len(slope))
    total, first, second = 0.0, np.zeros_like(slope), np.zeros_like(curvature)
    for block in np.split(np.arange(len(days)), np.flatnonzero(np.diff(days)) + 1):
        weighted = weight[block, None] * z[block]
        total, first, second = total + weight[block].sum(), first + weighted.sum(axis=0), second + z[block].T @ weighted
        events, mean = event[block].sum(), first / total
        gradient = gradient + z[block][event[block]].sum(axis=0) - events * mean
        curvature = curvature + events * (second / total - np.outer(mean, mean))
    return gradient, curvature


def _baseline(days: NDArray[np.intp], weight: Floats, event: NDArray[np.bool_]) -> Floats:
    """Breslow's hazard of each day: events over the weight at risk."""
    events = np.bincount(days, weights=event)
    at_risk = np.cumsum(np.bincount(days, weights=weight)[::-1])[::-1]
    return np.asarray(events / at_risk)
