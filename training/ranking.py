"""Tables of scores, highest first, and how many of them are worth acting on."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TENTHS = 10


class Worth(NamedTuple):
    """Contacting all whose score times value exceeds the cost.

    Attributes:
        contacted: how many they are.
        net: sum of score times value minus cost over them.
        lowest: the lowest of their scores; None: nobody is worth it.
    """

    contacted: int
    net: float
    lowest: float | None


def by_score(score: Floats, outcome: NDArray[Any]) -> Floats:
    """Outcomes with the highest scores first. Rows of one score come in any order, so they count with their mean."""
    values, group, count = np.unique(-score, return_inverse=True, return_counts=True)
    return np.repeat(np.bincount(group, outcome, minlength=len(values)) / count, count)


def rank_table(score: Floats, outcome: NDArray[Any], *, groups: int = TENTHS) -> list[dict[str, float]]:
    """What each group of equally many rows brings, highest scores first.

    Args:
        score: shape (n,). Expected outcome, such as a probability of a response, an amount, or uplift.
        outcome: shape (n,). Responses (0 or 1), amounts, or `qini.gains_of_contact`.

    Returns:
        For each group count, expected and actual (mean score and mean outcome), total (sum of the outcome),
        cumulative_gain (share of all outcome in the groups so far; above 1 where later groups lose), and lift (actual
        over the mean of all); the last two nan where all outcome adds up to 0. Rows of one score share their outcomes.
    """
    scores, outcomes = (np.array_split(one, groups) for one in (-np.sort(-score), by_score(score, outcome)))
    so_far = np.cumsum([part.sum() for part in outcomes])
    all_ = outcome.sum() or np.nan
    return [
        {
            "count": len(part),
            "expected": float(expected.mean()),
            "actual": float(part.mean()),
            "total": float(part.sum()),
            "cumulative_gain": float(total / all_),
            "lift": float(part.mean() / all_ * len(outcome)),
        }
        for expected, part, total in zip(scores, outcomes, so_far, strict=True)
        if len(part)
    ]


def contact_table(
    score: Floats, outcome: NDArray[np.bool_], worth: Sequence[tuple[float, float]]
) -> list[dict[str, Any]]:
    """How many of a test are worth contacting, what that was expected to net, and what it did.

    Args:
        worth: values of a response and costs of a contact.

    Returns:
        For each value, cost, the parts of `Worth` and actual_net.
    """
    return [
        {
            "value": value,
            "cost": cost,
            **number_to_contact(score, value=value, cost=cost)._asdict(),
            "actual_net": float((outcome * value - cost)[score * value > cost].sum()),
        }
        for value, cost in worth
    ]


def number_to_contact(score: Floats, *, value: float, cost: float) -> Worth:
    """How many are worth contacting, and what that nets.

    Args:
        score: expected responses that contacting brings.
        value: of a response; in the unit of `cost`, that of a contact.
    """
    net = score * value - cost
    chosen = net > 0
    return Worth(int(chosen.sum()), float(net[chosen].sum()), float(score[chosen].min()) if chosen.any() else None)
