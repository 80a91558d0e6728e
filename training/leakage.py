"""The leak check: no single input may tell an outcome that lies after it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.errors import TrainingError

Floats = NDArray[np.float64]

SUSPICIOUS_AUC = 0.99
"""Whether customers respond is never so plain from one thing known before; what was recorded after it is."""

MINIMUM_OUTCOMES = 50
"""With fewer of either kind an honest column may tell them apart by chance."""


def check(names: Sequence[str], matrix: Floats, outcome: NDArray[np.bool_], *, n_codes: Sequence[int]) -> None:
    """Refuse inputs one of which alone puts nearly every responder before every other, or is only there for them.

    Args:
        names: of the columns.
        matrix: shape (n, k). nan: unknown.
        outcome: shape (n,).
        n_codes: for each column: number of category codes; 0: numeric.

    Raises:
        TrainingError: names the first such column and its AUC.
    """
    if min(outcome.sum(), (~outcome).sum()) < MINIMUM_OUTCOMES:
        return
    for name, values, codes in zip(names, matrix.T, n_codes, strict=True):
        auc = max(_separation(one, outcome) for one in _readings(values, outcome, codes))
        if auc > SUSPICIOUS_AUC:
            raise TrainingError(
                f"leak check: {name} alone tells who responded (AUC {auc:.3f}); expected at most {SUSPICIOUS_AUC}: it "
                "seems to be recorded after the outcome, so leave it out or give its rows their true known_at"
            )


def _readings(values: Floats, outcome: NDArray[np.bool_], codes: int) -> list[Floats]:
    """What a column may give away: by its value, or by being there at all."""
    if codes:
        groups = values.astype(np.intp)
        rate = np.bincount(groups, outcome, minlength=codes) / np.maximum(np.bincount(groups, minlength=codes), 1)
        return [rate[groups]]
    known = ~np.isnan(values)
    if known.all():
        return [values]
    middle = np.median(values[known]) if known.any() else 0.0
    return [np.where(known, values, middle), known.astype(np.float64)]


def _separation(values: Floats, outcome: NDArray[np.bool_]) -> float:
    """AUC by ranks, of the values or of their reverse."""
    responses, others = int(outcome.sum()), int((~outcome).sum())
    above = rankdata(values)[outcome].sum() - responses * (responses + 1) / 2
    auc = float(above / (responses * others))
    return max(auc, 1 - auc)
