"""Mixed columns as one matrix of floats: numbers stay, texts become category codes."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.columns import require, require_finite
from training.errors import TrainingError

Floats = NDArray[np.float64]

MISSING_CODE = 0.0
"""Stands for a null text, a rare one, and one never seen in training."""

MINIMUM_SEEN = 20
"""A text in fewer training rows than this has no code of its own."""


@dataclass(frozen=True)
class Encoding:
    """How the columns of a frame become a matrix.

    Attributes:
        categories: for each column in order: its texts with a code (text i has code
            i + 1), or None if the column is numeric.
        optional: columns that a frame may lack; they are then missing in every row.
    """

    categories: dict[str, list[str] | None]
    optional: frozenset[str]

    @property
    def n_codes(self) -> list[int]:
        """For each column: number of category codes; 0: numeric."""
        return [0 if known is None else len(known) + 1 for known in self.categories.values()]

    def matrix(self, inputs: pd.DataFrame) -> Floats:
        """Shape (n, number of columns); nan: unknown number.

        In a numeric column a text that is no number counts as unknown.

        Raises:
            TrainingError: a column that is not optional is missing, or infinite; names it.
        """
        require(inputs, [name for name in self.categories if name not in self.optional])
        values = np.full((len(inputs), len(self.categories)), np.nan)
        for position, (name, known) in enumerate(self.categories.items()):
            if name not in inputs.columns:
                values[:, position] = np.nan if known is None else MISSING_CODE
            elif known is None:
                values[:, position] = _as_numbers(inputs[name])
                require_finite(name, values[:, position])
            else:
                values[:, position] = _as_codes(inputs[name], known)
        return values


def learn_encoding(inputs: pd.DataFrame, optional: Collection[str] = ()) -> Encoding:
    """Tell numbers from texts, and list the texts that are frequent enough.

    Raises:
        TrainingError: a column holds dates, or objects that are neither; names it.
    """
    return Encoding(
        {str(name): _frequent_texts(inputs[name]) for name in inputs.columns},
        frozenset(optional),
    )


def _frequent_texts(column: pd.Series) -> list[str] | None:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in _NUMERIC or column.isna().all():
        return None
    if kind not in _TEXT:
        raise TrainingError(
            f"column {column.name} holds {kind}; expected numbers or texts: turn dates into days before the message"
        )
    counts = column.dropna().astype(str).value_counts()
    return sorted(counts.index[counts >= MINIMUM_SEEN])


_NUMERIC = {"boolean", "integer", "floating", "decimal", "mixed-integer-float", "empty"}
_TEXT = {"string", "categorical", "mixed-integer", "mixed"}


def _as_numbers(column: pd.Series) -> Floats:
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _as_codes(column: pd.Series, known: list[str]) -> Floats:
    code = {text: float(position) for position, text in enumerate(known, start=1)}
    codes = column.astype(object).map(lambda text: code.get(str(text), MISSING_CODE))
    return codes.where(column.notna(), MISSING_CODE).to_numpy(np.float64)
