"""Platt scaling: a straight line through the log odds."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]


class Line(NamedTuple):
    """Log odds become intercept + slope * log odds."""

    slope: float
    intercept: float

    def log_odds(self, logits: Floats) -> Floats:
        """Shape as `logits`."""
        return self.intercept + self.slope * logits

    def after(self, first: "Line") -> "Line":
        """The line that does what `first` and then this one do."""
        return Line(self.slope * first.slope, self.intercept + self.slope * first.intercept)


IDENTITY = Line(slope=1.0, intercept=0.0)

SMALLEST_SLOPE = 0.1
"""Calibration may flatten the scores, never reverse their order."""


def fit_line(
    logits: Floats,
    outcome: NDArray[np.bool_],
    *,
    smallest_slope: float = -np.inf,
    largest_slope: float = np.inf,
    prior_weight: float = 0.0,
) -> Line:
    """The most likely line.

    Args:
        logits: shape (n,). Log odds predicted.
        outcome: shape (n,). What happened; both outcomes occur.
        smallest_slope: > 0 keeps the order of the predictions.
        largest_slope: with 1 as the smallest and the largest, only the intercept is found.
        prior_weight: pulls towards the identity like a normal prior of standard
            deviation 1 / sqrt(prior_weight) on either coefficient.

    Source:
        Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """
    inputs = np.column_stack([logits, np.ones(len(logits))])
    target = np.asarray(outcome, dtype=np.float64)

    def loss(line: Floats) -> tuple[float, Floats]:
        score = inputs @ line
        pull = line - np.array(IDENTITY)
        value = np.logaddexp(0, score).sum() - target @ score
        gradient = inputs.T @ (expit(score) - target) + prior_weight * pull
        return float(value + prior_weight * (pull @ pull) / 2), gradient

    bounds = [(smallest_slope, largest_slope), (-np.inf, np.inf)]
    found = minimize(loss, np.array(IDENTITY), jac=True, method="L-BFGS-B", bounds=bounds)
    return Line(float(found.x[0]), float(found.x[1]))
