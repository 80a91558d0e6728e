"""Actions never tried: how far from its fallback the chance of a response may lie.

An action without a history is judged like an average action of its channel, on a channel without one like an average
message. How far single actions lie from that average, those that were tried tell.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.calibration import fit_line
from training.encoding import MISSING_CODE

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PRIOR_SD = 1.0
"""Of log odds: what a single action is thought to differ by, before any was seen; it weighs as much as one action."""

Z = 1.96
"""For 95 % intervals."""


class Spread(NamedTuple):
    """Standard deviations of log odds: of actions around their channel, of channels around all."""

    action: float = PRIOR_SD
    channel: float = PRIOR_SD

    def interval(self, logits: Floats, *, is_new_action: Flags, is_new_channel: Flags) -> tuple[Floats, Floats]:
        """95 % interval of the chance of a response, shape (n,) each; nan: the action was tried."""
        low, high = np.full((2, len(logits)), np.nan)
        sd = np.sqrt(self.action**2 + np.where(is_new_channel[is_new_action], self.channel**2, 0.0))
        low[is_new_action], high[is_new_action] = (expit(logits[is_new_action] + side * Z * sd) for side in (-1, 1))
        return low, high


def learn_spread(
    matrix: Floats, responded: Flags, log_odds: Callable[[Floats], Floats], *, action: int, channel: int
) -> Spread:
    """How actions differ where nothing tells them apart, and channels where nothing tells either.

    Args:
        matrix: encoded inputs, shape (n, k).
        responded: shape (n,).
        log_odds: of a response, for encoded inputs.
        action, channel: columns of the matrix that hold them.
    """
    masked, sd = matrix.copy(), []
    for column in (action, channel):
        masked[:, column] = MISSING_CODE
        sd.append(between_groups(log_odds(masked), responded, matrix[:, column]))
    return Spread(*sd)


def between_groups(logits: Floats, responded: Flags, group: Floats) -> float:
    """Standard deviation of log odds between groups, beyond what chance explains.

    Args:
        logits: shape (n,). Log odds predicted without a look at the group.
        responded, group: shape (n,).

    Source:
        DerSimonian & Laird (1986), "Meta-Analysis in Clinical Trials", Controlled Clinical Trials 7(3).
    """
    members = [group == one for one in np.unique(group)]
    shift = np.array([_shift(logits[one], responded[one]) for one in members])
    information = np.array([_information(logits[one] + d) for one, d in zip(members, shift, strict=True)])
    others = len(members) - 1
    if others == 0:
        return PRIOR_SD
    mean = np.average(shift, weights=information)
    excess = information @ (shift - mean) ** 2 - others
    scale = information.sum() - (information**2).sum() / information.sum()
    return float(np.sqrt((max(excess / scale, 0.0) * others + PRIOR_SD**2) / (others + 1)))


def _shift(logits: Floats, responded: Flags) -> float:
    """Log odds by which a group differs; the prior keeps a group without a response finite."""
    return fit_line(logits, responded, smallest_slope=1.0, largest_slope=1.0, prior_weight=1.0).intercept


def _information(logits: Floats) -> float:
    return float((expit(logits) * expit(-logits)).sum())
