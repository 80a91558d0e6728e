"""The level of responses: whether it is still the one that a model expects, and the line that brings a model back."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom

from training import response_trees
from training.calibration import SMALLEST_SLOPE, Line, fit_line

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CERTAINTY = 0.99
"""A level outside this interval has drifted: one window in a hundred does so by chance."""

MINIMUM_RESPONSES = 20
"""And refusals, of the older messages; with fewer there is nothing to compare with."""

MINIMUM_FOR_SLOPE = 100
"""Of the rarer outcome. With fewer only the intercept moves: the level is known, the steepness is not."""

PRIOR_WEIGHT = 1.0
"""Without it, a window without a response would say that there never is one again."""


class Level(NamedTuple):
    """Response rates of some messages.

    Attributes:
        expected: mean probability.
        low, high: the rates between which a model that is right finds 99 of 100 such windows.
        actual: what was seen.
    """

    messages: int
    sent_from: str
    sent_to: str
    expected: float
    low: float
    high: float
    actual: float

    @property
    def has_drifted(self) -> bool:
        return not self.low <= self.actual <= self.high

    def __str__(self) -> str:
        found = (
            f"{self.actual:.1%} of {self.messages:,} messages sent from {self.sent_from} to {self.sent_to} had a "
            f"response, {self.expected:.1%} were expected ({self.low:.1%} to {self.high:.1%})"
        )
        return f"{found}: the level has drifted, so predictions are calibrated on them" if self.has_drifted else found


def compare(probability: Floats, responded: Flags, sent_at: pd.Series) -> Level:
    """What was seen beside the binomial interval around what was expected.

    Args:
        probability, responded, sent_at: shape (n,), n > 0; of a model that did not learn from these messages.
    """
    count, expected = len(responded), float(np.mean(probability))
    low, high = binom.ppf([(1 - CERTAINTY) / 2, (1 + CERTAINTY) / 2], count, expected) / count
    dates = pd.to_datetime(sent_at, utc=True).dt.date
    return Level(
        count, str(dates.min()), str(dates.max()), expected, float(low), float(high), float(np.mean(responded))
    )


def of_newest(
    matrix: Floats, responded: Flags, newest: Flags, sent_at: pd.Series, *, n_codes: list[int], seed: int
) -> Level | None:
    """The newest messages beside what a model of the older ones expects; None: they hold too few responses.

    Args:
        matrix: encoded inputs, shape (n, k).
        responded, newest, sent_at: shape (n,).
    """
    if min(responded[~newest].sum(), (~responded[~newest]).sum()) < MINIMUM_RESPONSES:
        return None
    older = response_trees.fit(matrix[~newest], responded[~newest], n_codes=n_codes, seed=seed)
    return compare(expit(older.logits(matrix[newest])), responded[newest], sent_at[newest])


def line_to(logits: Floats, responded: Flags) -> Line:
    """The line that brings log odds to the level of these messages.

    Args:
        logits, responded: shape (n,); of a model that did not learn from these messages.
    """
    rarer = min(int(responded.sum()), int((~responded).sum()))
    slopes = (SMALLEST_SLOPE, np.inf) if rarer >= MINIMUM_FOR_SLOPE else (1.0, 1.0)
    return fit_line(logits, responded, smallest_slope=slopes[0], largest_slope=slopes[1], prior_weight=PRIOR_WEIGHT)
