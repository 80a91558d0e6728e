"""Purchase histories as the classical models of repeat buying read them, and what their fits share.

x is the number of purchase days after the first, t_x the time from the first to the last purchase, T the time from the
first purchase to the observation, in any unit of time.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from training.errors import TrainingError

Floats = NDArray[np.float64]


class History(NamedTuple):
    """Arrays of shape (n_customers,)."""

    x: Floats
    t_x: Floats
    T: Floats


def checked(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> History:
    """The histories as float arrays.

    Raises:
        TrainingError: not 0 <= t_x <= T, x < 0, or a value missing or infinite; names the first.
    """
    history = History(*(np.asarray(values, dtype=np.float64) for values in (x, t_x, T)))
    sound = (history.x >= 0) & (history.t_x >= 0) & (history.t_x <= history.T) & np.isfinite(history.x + history.T)
    if not sound.all():
        row = int(np.argmin(sound))
        raise TrainingError(
            f"row {row}: x={history.x[row]:g}, t_x={history.t_x[row]:g}, "
            f"T={history.T[row]:g}; expected x >= 0 and 0 <= t_x <= T: "
            "leave out customers without a purchase"
        )
    return history


def require_repeat_buyers(history: History, model: str) -> None:
    """Raise a TrainingError if nobody has bought twice: no rate of buying again can be learnt."""
    if not (history.x > 0).any():
        raise TrainingError(
            f"{len(history.x)} customers, none with a second purchase day; {model} needs repeat buyers: "
            "widen the period"
        )


def counted(history: History) -> tuple[History, Floats, float]:
    """Distinct histories, in units of the mean T.

    Returns:
        The distinct histories, the share of the customers that each stands for, and the unit.
    """
    unit = float(history.T.mean())
    rows = pd.DataFrame({"x": history.x, "t_x": history.t_x / unit, "T": history.T / unit})
    counts = rows.groupby(["x", "t_x", "T"]).size()
    distinct = History(*(counts.index.get_level_values(i).to_numpy() for i in range(3)))
    return distinct, counts.to_numpy(dtype=np.float64) / len(rows), unit


def most_likely(mean_log_likelihood: Callable[[Floats], float], start: Sequence[float]) -> Floats:
    """Positive parameters with the highest likelihood, found on the logarithms from `start`, without a gradient."""
    # The bounds only hold degenerate data, where a parameter runs to 0 or infinity.
    found = minimize(
        lambda log_parameters: -mean_log_likelihood(np.exp(log_parameters)),
        np.log(start),
        jac="3-point",
        method="L-BFGS-B",
        bounds=[(-9.0, 9.0)] * len(start),
        options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 1000, "maxfun": 100_000},
    )
    return np.asarray(np.exp(found.x))
