"""Columns of a frame as arrays of floats."""

from collections.abc import Container, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.errors import TrainingError


def numbers(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Shape (n_rows, n_names); nulls of any kind become nan.

    Raises:
        TrainingError: a column is missing, not numeric or infinite; names it.
    """
    require(frame, names)
    values = np.empty((len(frame), len(names)))
    for position, name in enumerate(names):
        try:
            values[:, position] = frame[name].to_numpy(np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise TrainingError(
                f"column {name} has type {frame[name].dtype}; expected numbers: cast it in the query that reads it"
            ) from None
        require_finite(name, values[:, position])
    return values


def require(row_or_frame: Container[str], names: Sequence[str]) -> None:
    """Raise a TrainingError that names the columns which a frame, or a mapping of one row, lacks."""
    missing = [name for name in names if name not in row_or_frame]
    if missing:
        raise TrainingError(
            f"missing column {', '.join(missing)}; the model needs {len(names)} "
            "columns: select them from the feature store or retrain the model"
        )


def require_finite(name: str, values: NDArray[np.float64]) -> None:
    """Raise a TrainingError that names the column and its first infinite row; nan is a null and passes."""
    if np.isinf(values).any():
        raise TrainingError(
            f"column {name} is infinite in row {int(np.argmax(np.isinf(values)))}; expected finite numbers or nulls: "
            "mend the query that reads it"
        )
