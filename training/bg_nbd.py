"""BG/NBD: the classical model of repeat buying, our baseline, tail and fallback.

While alive a customer buys at a Poisson rate; after each repeat purchase she leaves for
good with some probability. Rates are gamma(r, alpha), leaving is beta(a, b) among
customers. Time may be in any unit, the same everywhere; alpha comes out in that unit.

Throughout: x is the number of purchase days after the first, t_x the time from the
first to the last purchase, T the time from the first purchase to the observation. All
are arrays of shape (n_customers,).

Source:
    Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way", Marketing
    Science 24(2).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import (
    betaincinv,
    digamma,
    expit,
    gammaln,
    hyp2f1,
)

from training.errors import TrainingError
from training.histories import History, checked, counted

Floats = NDArray[np.float64]


# Gauss and Legendre's, on 0 to 1.
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(40)
_POINTS, _WEIGHTS = (_NODES + 1) / 2, _NODE_WEIGHTS / 2


class BgNbd(NamedTuple):
    """The four parameters, all > 0; alpha in the unit of time used in fitting."""

    r: float
    alpha: float
    a: float
    b: float


def fit(x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> BgNbd:
    """Maximum-likelihood parameters.

    Identical rows are counted once with a weight, so the cost grows with the number of
    distinct histories.

    Raises:
        TrainingError: a history is impossible, or nobody has bought twice.
    """
    history = checked(x, t_x, T)
    if not (history.x > 0).any():
        raise TrainingError(
            f"{len(history.x)} customers, none with a second purchase day; BG/NBD needs repeat buyers: widen the period"
        )
    distinct, weights, unit = counted(history)

    def loss(log_params: Floats) -> tuple[float, Floats]:
        params = BgNbd(*np.exp(log_params))
        value, gradient = _log_likelihood(params, distinct)
        return -float(weights @ value), -(gradient @ weights) * np.array(params)

    # The bounds only hold degenerate data, where a parameter runs to 0 or infinity.
    found = minimize(
        loss,
        np.log([0.5, 0.2, 1.0, 3.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-9.0, 9.0)] * 4,
        options={"ftol": 1e-13, "gtol": 1e-8, "maxiter": 1000},
    )
    r, alpha, a, b = (float(value) for value in np.exp(found.x))
    return BgNbd(r, alpha * unit, a, b)


def log_likelihood(params: BgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> float:
    """Sum over customers of the log-likelihood of their histories."""
    return float(_log_likelihood(params, checked(x, t_x, T))[0].sum())


def p_alive(params: BgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike) -> Floats:
    """Probability of still being a customer; in BG/NBD also of ever buying again.

    It is 1 for one-time buyers: the model lets customers leave after a repeat purchase
    only.
    """
    history = checked(x, t_x, T)
    r, alpha, a, b = params
    repeat = np.where(history.x > 0, history.x, 1.0)
    log_odds_left = (
        np.log(a) - np.log(b + repeat - 1) + (r + history.x) * np.log((alpha + history.T) / (alpha + history.t_x))
    )
    return np.where(history.x > 0, expit(-log_odds_left), 1.0)


def probability_of_purchase(params: BgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Probability of at least one purchase within `horizon` (>= 0) after T.

    Never falls in the horizon and never exceeds `p_alive`.
    """
    alive = p_alive(params, x, t_x, T)
    history = checked(x, t_x, T)
    log_none = (params.r + history.x) * -np.log1p(horizon / (params.alpha + history.T))
    return alive * -np.expm1(log_none)


def expected_purchases(params: BgNbd, x: ArrayLike, t_x: ArrayLike, T: ArrayLike, horizon: float) -> Floats:
    """Expected number of purchases within `horizon` (>= 0) after T.

    Source:
        Equation 10 of the paper, with Euler's transformation of 2F1, which keeps the
        terms small for frequent buyers.
    """
    history = checked(x, t_x, T)
    return p_alive(params, x, t_x, T) * expected_while_alive(params, history, horizon)


def expected_while_alive(params: BgNbd, history: History, horizon: float | Floats) -> Floats:
    """Expected purchases within `horizon`, one for all or one each, of those who are customers at T, shape (n,)."""
    r, alpha, a, b = params
    # Removable singularities at a = 1 and, for one-time buyers, at a + b = 1.
    a = a if abs(a - 1) > 1e-6 else 1 + 1e-6
    b = b if abs(a + b - 1) > 1e-6 else b + 2e-6
    z = horizon / (alpha + history.T + horizon)
    c = a + b + history.x - 1
    with np.errstate(over="ignore", invalid="ignore"):
        series = (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, c, z)
        expected: Floats = c / (a - 1) * (1 - series)
    if (overflown := ~np.isfinite(expected)).any():
        rows = (one[overflown, None] for one in np.broadcast_arrays(history.x, history.T, horizon))
        expected[overflown] = _summed_while_alive(params, *rows)
    return expected


def _summed_while_alive(params: BgNbd, x: Floats, T: Floats, horizon: Floats) -> Floats:
    """As `expected_while_alive`, of columns (n, 1), summed over chances of leaving after a purchase.

    For parameters at which the series overflows: where hardly anybody buys a fourth time, a is in the thousands.
    """
    r, alpha, a, b = params
    leaves = np.maximum(betaincinv(a, b + x, _POINTS), np.finfo(np.float64).tiny)
    purchases = -np.expm1(-(r + x) * np.log1p(leaves * horizon / (alpha + T))) / leaves
    return np.asarray(purchases @ _WEIGHTS)


def _log_likelihood(params: BgNbd, history: History) -> tuple[Floats, Floats]:
    """Log-likelihood per row (n,) and its gradient by r, alpha, a, b (4, n)."""
    r, alpha, a, b = params
    x, t_x, T = history
    repeat = np.where(x > 0, x, 1.0)
    log_alive = -(r + x) * np.log(alpha + T)
    log_left = np.where(
        x > 0,
        np.log(a) - np.log(b + repeat - 1) - (r + x) * np.log(alpha + t_x),
        -np.inf,
    )
    value = (
        gammaln(r + x)
        - gammaln(r)
        + r * np.log(alpha)
        + gammaln(a + b)
        + gammaln(b + x)
        - gammaln(b)
        - gammaln(a + b + x)
        + np.logaddexp(log_alive, log_left)
    )
    left = expit(log_left - log_alive)
    alive = 1 - left
    shared = digamma(a + b) - digamma(a + b + x)
    gradient = np.stack(
        [
            digamma(r + x) - digamma(r) + np.log(alpha) - alive * np.log(alpha + T) - left * np.log(alpha + t_x),
            r / alpha - (r + x) * (alive / (alpha + T) + left / (alpha + t_x)),
            shared + left / a,
            shared + digamma(b + x) - digamma(b) - left / (b + repeat - 1),
        ]
    )
    return value, gradient
