"""When customers who never bought buy first: a Lomax waiting time, and a share who never will.

Each of those who will buy waits an exponential time at a rate of their own; rates are gamma distributed. So the longer
a customer has been known without buying, the less likely the first purchase becomes.

Source:
    The trial model of Fader, Hardie & Zeithammer (2003), "Forecasting New Product Trial in a Controlled Test Market
    Environment", Journal of Forecasting 22(5), without its covariates.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.errors import TrainingError
from training.histories import most_likely

Floats = NDArray[np.float64]

MINIMUM_EVENTS = 30
"""With fewer first purchases one rate for all, for they cannot tell a shape."""

STEADY_SHAPE = 1e6
"""A gamma so narrow that all have one rate."""

LONGEST_MEDIAN = 90
"""Days; as of the curve of those who bought."""


class FirstPurchase(NamedTuple):
    """Waiting times in days since a customer became known.

    Attributes:
        share: of customers who buy sooner or later.
        shape, scale: of the gamma distribution of their rates per day.
    """

    share: float
    shape: float
    scale: float

    def log_survival(self, known_days: Floats) -> Floats:
        """Log probability of no purchase in the first days that a customer is known.

        A logarithm, because where all buy sooner or later hardly anybody is left of those known for years.
        """
        log_waiting = -self.shape * np.log1p(known_days / self.scale)
        with np.errstate(divide="ignore"):
            log_never = np.log1p(-self.share)
        return np.asarray(np.logaddexp(log_never, np.log(self.share) + log_waiting))

    def probability(self, known_days: Floats, horizon: float) -> Floats:
        """Of the first purchase within `horizon` days, of customers known for so long without one; shape (n,)."""
        return np.asarray(-np.expm1(self.log_survival(known_days + horizon) - self.log_survival(known_days)))

    def median_days(self, known_days: Floats) -> Floats:
        """First whole day by which half will have bought; nan: beyond LONGEST_MEDIAN."""
        days = np.arange(1.0, LONGEST_MEDIAN + 1)
        bought = np.stack([self.probability(known_days, float(day)) >= 0.5 for day in days], axis=1)
        return np.where(bought.any(axis=1), days[bought.argmax(axis=1)], np.nan)


def fit(known_days: Floats, days_to_first: Floats, follow_up_days: Floats) -> FirstPurchase | None:
    """Maximum likelihood from customers who had not bought when they were observed; None: there are none to learn from.

    Args:
        known_days: shape (n,). How long each was known by then: who bought sooner is not among them, so that the
            likelihood is of what came after (left truncation).
        days_to_first: shape (n,). 0 is the observation date itself; nan: none seen.
        follow_up_days: shape (n,). Whole days until the cut.

    Raises:
        TrainingError: a negative number of days; names the first row.
    """
    counts = _counted(known_days, days_to_first, follow_up_days)
    if counts.empty:
        return None
    known, waited, has_bought, weight = counts.to_numpy(dtype=np.float64).T
    events, exposure = float(weight[has_bought == 1].sum()), float((weight * waited).sum())
    # Half an event more, so that no rate is 0 (Jeffreys).
    rate = (events + 0.5) / exposure
    steady = FirstPurchase(1.0, STEADY_SHAPE, STEADY_SHAPE / rate)
    if events < MINIMUM_EVENTS:
        return steady

    def mean_log_likelihood(parameters: Floats) -> float:
        model = _of_parameters(parameters)
        # A purchase on a day lies between its midnights; who has not bought has survived to the cut.
        start = known + waited - has_bought
        on_the_day = np.maximum(model.probability(start, 1), np.finfo(np.float64).tiny)
        bought_or_waits = np.where(has_bought == 1, np.log(on_the_day), 0.0)
        log_chance = model.log_survival(start) - model.log_survival(known) + bought_or_waits
        return float((weight * log_chance).sum() / weight.sum())

    return _of_parameters(most_likely(mean_log_likelihood, [1.0, 1.0, 1.0 / rate]))


def scores(model: FirstPurchase, repeats: Floats, known_days: Floats, horizons: Sequence[int]) -> dict[str, Floats]:
    """As `RepurchaseTimingModel.scores`, of customers who never bought.

    Args:
        repeats: shape (longest horizon,). What a customer buys within 0, 1, … days after the first purchase.
        known_days: shape (n,).

    Returns:
        p_alive is nan: nobody can have left who never came.
    """
    # Those known for as long have the same answers.
    known, row = np.unique(known_days, return_inverse=True)
    bought = np.stack([model.probability(known, day) for day in range(max(horizons) + 1)], axis=1)
    first = np.diff(bought, axis=1)
    # A first purchase on a day, and what follows it in the rest of the horizon.
    expected = {h: first[:, :h] @ (1 + repeats[:h][::-1]) for h in horizons}
    return {
        **{f"p_repurchase_{h}d": bought[row, h] for h in horizons},
        **{f"expected_purchases_{h}d": expected[h][row] for h in horizons},
        "median_days_to_repurchase": model.median_days(known)[row],
        "p_alive": np.full(len(row), np.nan),
    }


def _counted(known_days: Floats, days_to_first: Floats, follow_up_days: Floats) -> pd.DataFrame:
    """Distinct rows with their number: known, waited (to the end of the day of purchase, or to the cut), has_bought."""
    has_bought = days_to_first < follow_up_days
    waited = np.where(has_bought, days_to_first + 1, follow_up_days)
    rows = pd.DataFrame({"known": known_days, "waited": waited, "has_bought": has_bought})
    unsound = (rows < 0).any(axis=1) | rows.isna().any(axis=1)
    if unsound.any():
        row = int(np.argmax(unsound))
        raise TrainingError(
            f"row {row}: known for {known_days[row]:g} days, followed up for {follow_up_days[row]:g}; "
            "expected neither below 0"
        )
    return rows[rows["waited"] > 0].groupby(["known", "waited", "has_bought"]).size().reset_index(name="count")


def _of_parameters(parameters: Floats) -> FirstPurchase:
    odds, shape, scale = (float(value) for value in parameters)
    return FirstPurchase(odds / (1 + odds), shape, scale)
