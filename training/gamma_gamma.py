"""Gamma-gamma: the mean value of a customer's purchases, shrunken towards that of all customers.

Values of a customer's purchases are gamma(p, nu), and nu is gamma(q, v) among customers, whatever their frequency. A
customer seen often keeps her own mean, one seen once gets nearly the mean of all.

Source:
    Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value".
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from training.errors import TrainingError
from training.histories import most_likely

Floats = NDArray[np.float64]

MINIMUM_CUSTOMERS = 30
"""With fewer customers that bought at a value above 0, three parameters are noise."""


class GammaGamma(NamedTuple):
    """The three parameters, all > 0; v in the unit of value."""

    p: float
    q: float
    v: float


def fit(count: ArrayLike, mean_value: ArrayLike) -> GammaGamma:
    """Maximum-likelihood parameters.

    Args:
        count: shape (n,). Purchases whose value is known; customers without one teach nothing.
        mean_value: shape (n,). Their mean value; customers at or below 0 teach nothing.

    Raises:
        TrainingError: fewer than MINIMUM_CUSTOMERS customers teach something, or values are so uneven that they have no
            mean (q <= 1).
    """
    x, m = np.asarray(count, dtype=np.float64), np.asarray(mean_value, dtype=np.float64)
    teaches = (x > 0) & (m > 0) & np.isfinite(m)
    if teaches.sum() < MINIMUM_CUSTOMERS:
        raise TrainingError(
            f"{teaches.sum()} customers with purchases of a value above 0; expected at least {MINIMUM_CUSTOMERS}: "
            "land amounts of more customers"
        )
    x, m = x[teaches], m[teaches]
    unit = float(m.mean())
    p, q, v = most_likely(
        lambda parameters: float(_log_likelihood(GammaGamma(*parameters), x, m / unit).mean()), [3.0, 3.0, 1.0]
    )
    if q <= 1:
        raise TrainingError(
            f"gamma-gamma q is {q:g}; expected above 1: values are too uneven for this model, so look for wrong amounts"
        )
    return GammaGamma(float(p), float(q), float(v * unit))


def expected_value(params: GammaGamma, count: ArrayLike, mean_value: ArrayLike) -> Floats:
    """Expected value of a further purchase, shape (n,); of all customers where count is 0."""
    p, q, v = params
    x = np.asarray(count, dtype=np.float64)
    total = np.where(x > 0, x * np.nan_to_num(np.asarray(mean_value, dtype=np.float64)), 0.0)
    # A customer who gave back more than she bought counts with 0: values of the model are positive.
    return np.asarray(p * (v + np.maximum(total, 0.0)) / (p * x + q - 1))


def _log_likelihood(params: GammaGamma, x: Floats, m: Floats) -> Floats:
    """Of each customer's mean value m of x purchases, shape (n,)."""
    p, q, v = params
    constants = gammaln(p * x + q) - gammaln(p * x) - gammaln(q)
    powers = q * np.log(v) + (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + v)
    return np.asarray(constants + powers)
