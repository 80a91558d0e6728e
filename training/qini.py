"""What contacting those with the highest scores gains, and whether it is proven that whom to contact matters.

`score` has shape (n,); `gain` estimates, row by row, what contacting that customer brings in responses. A single row's
is noise; sums are right on the mean.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError
from training.evaluation import Interval, mean_interval
from training.ranking import by_score

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

RESAMPLES = 500

PERSONALISE, SAME_FOR_ALL, NOT_PROVEN = "personalise", "same for all", "not proven"


class Verdict(NamedTuple):
    """What a test says about whom to contact.

    Attributes:
        words: personalise (contacting by score gains more than contacting as many at random), same for all (messages
            have an effect, but who gets them is not proven to matter) or not proven (nor is an effect).
        qini: area of `qini`, and its 95 % interval over customers.
        effect: of contacting everybody, in responses per customer, and its interval.
    """

    words: str
    qini: Interval
    effect: Interval


def gains_of_contact(responded: Flags, contacted: Flags, offer: Sequence[str]) -> Floats:
    """Responses that contacting brings, from outcomes of a random split: shape (n,), unbiased in sums.

    A response counts 1 / share contacted where she was contacted, and minus 1 / share withheld where not; shares are
    those of the offer, so that offers may withhold more or less.

    Raises:
        TrainingError: an offer was sent to all or to none.

    Source:
        Horvitz & Thompson (1952); Athey & Wager (2021), "Policy Learning with Observational Data", section 2.
    """
    which = np.unique(np.asarray(offer, dtype=str), return_inverse=True)[1]
    share = (np.bincount(which, contacted) / np.bincount(which))[which]
    if not ((share > 0) & (share < 1)).all():
        raise TrainingError(
            f"{int(((share == 0) | (share == 1)).sum())} messages of offers that all or none received; expected both "
            "arms in each: leave such offers out"
        )
    return np.where(contacted, responded / share, -(responded / (1 - share)))


def qini(score: Floats, gain: Floats) -> float:
    """Area between the gain from contacting by score and from contacting at random, in responses per customer.

    0 for a random score, below 0 where those with low scores gain more.

    Source:
        Radcliffe (2007), "Using Control Groups to Target on Predicted Lift", without his division by the best area,
        which no test knows.
    """
    cumulative = np.cumsum(by_score(score, gain)) / len(score)
    contacted = np.arange(1, len(score) + 1) / len(score)
    return float((cumulative - contacted * cumulative[-1]).mean())


def verdict(score: Floats, gain: Floats, customers: Sequence[str], *, seed: int) -> Verdict:
    """Judge a score on messages that it did not learn from; intervals by bootstrap over customers."""
    effect = mean_interval(gain, seed=seed, customers=customers)
    area = _interval(score, gain, customers, seed)
    if area.low > 0:
        return Verdict(PERSONALISE, area, effect)
    is_effect = effect.low > 0 or effect.high < 0
    return Verdict(SAME_FOR_ALL if is_effect else NOT_PROVEN, area, effect)


def _interval(score: Floats, gain: Floats, customers: Sequence[str], seed: int) -> Interval:
    """A customer drawn k times enters with all her messages k times."""
    whose = np.unique(np.asarray(customers, dtype=str), return_inverse=True)[1]
    n, random = whose.max() + 1, np.random.default_rng(seed)
    areas = []
    for _ in range(RESAMPLES):
        times = np.bincount(random.integers(n, size=n), minlength=n)[whose]
        drawn = np.repeat(np.arange(len(score)), times)
        areas.append(qini(score[drawn], gain[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return Interval(qini(score, gain), float(low), float(high))
