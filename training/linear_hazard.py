"""The linear hazard: a ridge logistic regression of each bin's hazard.

Alone it is the control that trees must beat; under them it is their starting point.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import (
    LogisticRegression,
)

from training.linear_inputs import LinearInputs, learn_linear_inputs
from training.person_periods import BIN_EDGES, N_BINS, PersonPeriods

Floats = NDArray[np.float64]

INVERSE_PENALTY = 0.01
_MIDDLES: Floats = np.log((np.array(BIN_EDGES[:-1]) + np.array(BIN_EDGES[1:])) / 2)
_LOG_BIN_TIME: Floats = (_MIDDLES - _MIDDLES.mean()) / _MIDDLES.std()


class LinearHazard(NamedTuple):
    """Coefficients; k is the number of linear inputs.

    Attributes:
        bin_logit: shape (n_bins,).
        slope, slope_by_log_time: shape (k,).
    """

    inputs: LinearInputs
    bin_logit: Floats
    slope: Floats
    slope_by_log_time: Floats

    def logits(self, values: Floats) -> Floats:
        """Log odds of buying in each bin, given none before; shape (n, n_bins)."""
        z = self.inputs.matrix(values)
        level, drift = z @ self.slope, z @ self.slope_by_log_time
        by_bin: Floats = level[:, None] + drift[:, None] * _LOG_BIN_TIME
        return self.bin_logit + by_bin

    def terms(self, values: Floats, bins: Sequence[int]) -> tuple[float, Floats]:
        """The mean of `logits` over bins, taken apart: a constant, and what each column of values adds to it."""
        which = list(bins)
        slope = self.slope + self.slope_by_log_time * _LOG_BIN_TIME[which].mean()
        return float(self.bin_logit[which].mean()), self.inputs.terms(values, slope)

    def to_json(self) -> dict[str, Any]:
        """Plain lists; floats survive JSON exactly."""
        return {
            "inputs": self.inputs.to_json(),
            "bin_logit": self.bin_logit.tolist(),
            "slope": self.slope.tolist(),
            "slope_by_log_time": self.slope_by_log_time.tolist(),
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "LinearHazard":
        """The inverse of `to_json`."""
        return cls(
            LinearInputs.from_json(plain["inputs"]),
            np.array(plain["bin_logit"], dtype=np.float64),
            np.array(plain["slope"], dtype=np.float64),
            np.array(plain["slope_by_log_time"], dtype=np.float64),
        )


def fit(values: Floats, periods: PersonPeriods) -> LinearHazard:
    """Learn from person-period rows.

    Args:
        values: shape (n, k). One row per customer and observation; nan: unknown.
        periods: bins of these rows, with both outcomes among them.
    """
    inputs = learn_linear_inputs(values)
    z = inputs.matrix(values)
    regression = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", max_iter=100).fit(
        _design(z, periods), periods.bought
    )
    bins, slope, by_time = np.split(regression.coef_[0], [N_BINS, N_BINS + z.shape[1]])
    return LinearHazard(inputs, bins + regression.intercept_[0], slope, by_time)


def _design(z: Floats, periods: PersonPeriods) -> Floats:
    """Bin dummies, inputs, inputs times log bin time."""
    dummies = np.eye(N_BINS)[periods.bin]
    inputs = z[periods.row]
    return np.hstack([dummies, inputs, inputs * _LOG_BIN_TIME[periods.bin, None]])
