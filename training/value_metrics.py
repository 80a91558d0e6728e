"""Figures of expected values of customers beside what they turned out to be worth; both of shape (n,)."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.errors import TrainingError
from training.evaluation import lift

Floats = NDArray[np.float64]


def value_metrics(actual: Floats, expected: Floats) -> dict[str, float]:
    """Figures of one set of expectations.

    Returns:
        mae, rmse, predicted_over_actual (sums), rank_correlation (Spearman's), top_tenth_share (of the actual value,
        what those with the tenth of highest expectations brought; ties at the border share theirs).

    Raises:
        TrainingError: nobody was worth anything, or all are expected to be worth the same.
    """
    if not actual.sum() > 0 or np.ptp(expected) == 0:
        raise TrainingError(
            f"{len(actual)} customers, {actual.sum():g} of value, expectations from {expected.min():g} to "
            f"{expected.max():g}; expected some value and expectations that differ: evaluate on more customers"
        )
    error = expected - actual
    tenth = max(1, round(len(expected) / 10)) / len(expected)
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "predicted_over_actual": float(expected.sum() / actual.sum()),
        "rank_correlation": float(np.corrcoef(rankdata(actual), rankdata(expected))[0, 1]),
        "top_tenth_share": lift(actual, expected, share=tenth) * tenth,
    }
