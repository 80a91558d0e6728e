"""Pareto/NBD: repeat buying at a Poisson rate until the customer leaves, unseen, at any moment.

Rates of buying are gamma(r, alpha) among customers, rates of leaving gamma(s, beta). Time may be in any unit; alpha and
beta come out in it. A baseline only: it costs much more to fit than the BG/NBD and predicts alike.

Source:
    Schmittlein, Morrison & Colombo (1987), Management Science 33(1); Fader & Hardie (2005), "A Note on Deriving the
    Pareto/NBD Model". Their hypergeometric functions solve one integral over the time of leaving. It is summed here
    at fixed points instead, because they overflow where nearly nobody leaves.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp

from training.histories import History, checked, counted, most_likely, require_repeat_buyers

Floats = NDArray[np.float64]

# Gauss and Legendre's, on 0 to 1.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(40)
_POINTS, _WEIGHTS = (_NODES + 1) / 2, _NODE_WEIGHTS / 2


class ParetoNbd(NamedTuple):
    """The four parameters, all > 0; alpha and beta in the unit of time used in fitting."""

    r: float
    alpha: float
    s: float
    beta: float


def fit(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> ParetoNbd:
    """Maximum-likelihood parameters.

    Raises:
        TrainingError: a history is impossible, or nobody has bought twice.
    """
    history = checked(x, t_x, T)
    require_repeat_buyers(history, "Pareto/NBD")
    distinct, weights, unit = counted(history)
    r, alpha, s, beta = most_likely(
        lambda parameters: float(weights @ _log_likelihood(ParetoNbd(*parameters), distinct)), [0.5, 0.3, 0.6, 0.4]
    )
    return ParetoNbd(float(r), float(alpha * unit), float(s), float(beta * unit))


def log_likelihood(params: ParetoNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> float:
    """Sum over customers of the log-likelihood of their histories."""
    return float(_log_likelihood(params, checked(x, t_x, T)).sum())


def p_alive(params: ParetoNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Probability of still being a customer at T."""
    history = checked(x, t_x, T)
    r, alpha, s, beta = params
    log_alive, log_left = _log_alive_and_left(r + history.x, alpha, s, beta, history.t_x, history.T)
    return np.exp(log_alive - np.logaddexp(log_alive, log_left))


def probability_of_purchase(params: ParetoNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Probability of at least one purchase within `horizon` (>= 0) after T; never above `p_alive`."""
    history = checked(x, t_x, T)
    # Of a customer at T the rates are gamma again: no purchase since is the likelihood of a history without one.
    r, alpha, beta = params.r + history.x, params.alpha + history.T, params.beta + history.T
    start, end = np.zeros_like(history.T), np.full_like(history.T, horizon)
    log_none = np.logaddexp(*_log_alive_and_left(r, alpha, params.s, beta, start, end))
    log_none += r * np.log(alpha) + params.s * np.log(beta)
    return p_alive(params, x, t_x, T) * -np.expm1(np.minimum(log_none, 0.0))


def expected_purchases(params: ParetoNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Expected number of purchases within `horizon` (>= 0) after T."""
    history = checked(x, t_x, T)
    # A removable singularity at s = 1.
    power = params.s - 1 if abs(params.s - 1) > 1e-9 else 1e-9
    log_shrinkage = -np.log1p(horizon / (params.beta + history.T))
    customer_time = (params.beta + history.T) * -np.expm1(power * log_shrinkage) / power
    rate = (params.r + history.x) / (params.alpha + history.T)
    return p_alive(params, x, t_x, T) * rate * customer_time


def _log_likelihood(params: ParetoNbd, history: History) -> Floats:
    """Log-likelihood per row, shape (n,)."""
    r, alpha, s, beta = params
    log_alive, log_left = _log_alive_and_left(r + history.x, alpha, s, beta, history.t_x, history.T)
    constants = gammaln(r + history.x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
    return np.asarray(constants + np.logaddexp(log_alive, log_left))


def _log_alive_and_left(
    shape: Floats, alpha: float | Floats, s: float, beta: float | Floats, t_x: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Logarithms of two terms whose sum is the likelihood, but for constants: alive at T, left between t_x and T.

    Args:
        shape: r + x.

    The second is the integral of s (alpha + t)^-shape (beta + t)^-(s + 1) over t from t_x to T.
    """
    log_alive = -shape * np.log(alpha + T) - s * np.log(beta + T)
    # Points lie dense after t_x, where the integrand falls by 1 / e within 1 / decay.
    decay = (shape / (alpha + t_x) + (s + 1) / (beta + t_x))[:, None]
    span = np.log1p(decay[:, 0] * (T - t_x))[:, None]
    time = t_x[:, None] + np.expm1(span * _POINTS) / decay
    log_density = -shape[:, None] * np.log(_column(alpha) + time) - (s + 1) * np.log(_column(beta) + time)
    with np.errstate(divide="ignore"):
        log_steps = np.log(span * _WEIGHTS / decay) + span * _POINTS
    return log_alive, np.log(s) + logsumexp(log_density + log_steps, axis=1)


def _column(value: float | Floats) -> Floats:
    """A number for all, or one per row, beside the points of integration."""
    return np.reshape(value, (-1, 1)).astype(np.float64)
