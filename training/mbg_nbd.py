"""MBG/NBD: the BG/NBD in which a customer may leave after the first purchase as well.

So one-time buyers can have left. Given at least one repeat purchase, it is the BG/NBD with b + 1 in place of b.

Source:
    Batislam, Denizel & Filiztekin (2007), "Empirical Validation and Comparison of Models for Customer Base Analysis",
    International Journal of Research in Marketing 24(3).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit, gammaln

from training.bg_nbd import BgNbd, expected_while_alive
from training.histories import History, checked, counted, most_likely, require_repeat_buyers

Floats = NDArray[np.float64]


class MbgNbd(NamedTuple):
    """The four parameters, all > 0; alpha in the unit of time used in fitting."""

    r: float
    alpha: float
    a: float
    b: float


def fit(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> MbgNbd:
    """Maximum-likelihood parameters.

    Raises:
        TrainingError: a history is impossible, or nobody has bought twice.
    """
    history = checked(x, t_x, T)
    require_repeat_buyers(history, "MBG/NBD")
    distinct, weights, unit = counted(history)
    r, alpha, a, b = most_likely(
        lambda parameters: float(weights @ _log_likelihood(MbgNbd(*parameters), distinct)), [0.5, 0.2, 1.0, 2.0]
    )
    return MbgNbd(float(r), float(alpha * unit), float(a), float(b))


def log_likelihood(params: MbgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> float:
    """Sum over customers of the log-likelihood of their histories."""
    return float(_log_likelihood(params, checked(x, t_x, T)).sum())


def p_alive(params: MbgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Probability of still being a customer, and of ever buying again."""
    log_alive, log_left = _log_alive_and_left(params, checked(x, t_x, T))
    return np.asarray(expit(log_alive - log_left))


def probability_of_purchase(params: MbgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Probability of at least one purchase within `horizon` (>= 0) after T; never above `p_alive`."""
    history = checked(x, t_x, T)
    log_none = (params.r + history.x) * -np.log1p(horizon / (params.alpha + history.T))
    return p_alive(params, x, t_x, T) * -np.expm1(log_none)


def expected_purchases(params: MbgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Expected number of purchases within `horizon` (>= 0) after T."""
    same_while_alive = BgNbd(params.r, params.alpha, params.a, params.b + 1)
    return p_alive(params, x, t_x, T) * expected_while_alive(same_while_alive, checked(x, t_x, T), horizon)


def _log_alive_and_left(params: MbgNbd, history: History) -> tuple[Floats, Floats]:
    """Logarithms of two terms whose sum is the likelihood, but for constants."""
    r, alpha, a, b = params
    x, t_x, T = history
    return -(r + x) * np.log(alpha + T), np.log(a) - np.log(b + x) - (r + x) * np.log(alpha + t_x)


def _log_likelihood(params: MbgNbd, history: History) -> Floats:
    """Log-likelihood per row, shape (n,)."""
    r, alpha, a, b = params
    constants = gammaln(r + history.x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + history.x + 1) - betaln(a, b)
    return np.asarray(constants + np.logaddexp(*_log_alive_and_left(params, history)))
