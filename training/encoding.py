"""Mixed columns as one matrix of floats: numbers stay, texts become category codes."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

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


MAXIMUM_TEXTS = 250
"""Of a column; only the most frequent ones have a code. Each is a column of its own in the regression."""


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

    @property
    def texts(self) -> set[str]:
        """Names of the columns of text."""
        return {name for name, known in self.categories.items() if known is not None}

    @cached_property
    def _codes(self) -> dict[str, dict[str, float] | None]:
        """For each column: text → code; None: numeric."""
        return {
            name: None if known is None else {text: float(code) for code, text in enumerate(known, start=1)}
            for name, known in self.categories.items()
        }

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.categories)}

    @cached_property
    def _unknown(self) -> Floats:
        """A row of which nothing is known."""
        return np.array([np.nan if known is None else MISSING_CODE for known in self.categories.values()])

    def position(self, name: str) -> int:
        """Column of the matrix that holds an input."""
        return self._positions[name]

    def row(self, values: Mapping[str, Any]) -> Floats:
        """What `matrix` gives for a frame of this one row, without the frame; shape (number of columns,).

        Raises:
            TrainingError: as `matrix`.
        """
        require(values, [name for name in self.categories if name not in self.optional])
        return self.with_values(self._unknown, values)

    def with_values(self, row: Floats, values: Mapping[str, Any]) -> Floats:
        """The row with some of its columns replaced; names of other columns are passed over.

        Raises:
            TrainingError: a value is infinite; names its column.
        """
        changed = row.copy()
        for name, value in values.items():
            if name in self._positions:
                code = _encoded(value, self._codes[name])
                if math.isinf(code):
                    require_finite(name, np.array([code]))
                changed[self._positions[name]] = code
        return changed

    def matrix(self, inputs: pd.DataFrame) -> Floats:
        """Shape (n, number of columns); nan: unknown number.

        In a numeric column a text that is no number counts as unknown.

        Raises:
            TrainingError: a column that is not optional is missing, or infinite; names it.
        """
        require(inputs, [name for name in self.categories if name not in self.optional])
        return self.with_columns(np.tile(self._unknown, (len(inputs), 1)), inputs)

    def with_columns(self, matrix: Floats, inputs: pd.DataFrame) -> Floats:
        """The matrix, of as many rows, with the columns of `inputs` written into it; names it lacks are passed over.

        Raises:
            TrainingError: a column is infinite; names it.
        """
        for name in inputs.columns:
            if name in self._positions:
                position, known = self._positions[name], self._codes[name]
                matrix[:, position] = _as_numbers(inputs[name]) if known is None else _as_codes(inputs[name], known)
                require_finite(name, matrix[:, position])
        return matrix


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
    counts = column.dropna().astype(str).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return sorted(counts.index[counts >= MINIMUM_SEEN][:MAXIMUM_TEXTS])


_NUMERIC = {"boolean", "integer", "floating", "decimal", "mixed-integer-float", "empty"}
_TEXT = {"string", "categorical", "mixed-integer", "mixed"}


def _encoded(value: Any, codes: Mapping[str, float] | None) -> float:
    if codes is None:
        return np.nan if value is None else _number(value)
    return MISSING_CODE if value is None or value != value else codes.get(str(value), MISSING_CODE)


def _number(value: Any) -> float:
    """Quick for a number; a text that is no number counts as unknown."""
    return float(value if isinstance(value, int | float) else pd.to_numeric(value, errors="coerce"))


def _as_numbers(column: pd.Series) -> Floats:
    return pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)


def _as_codes(column: pd.Series, known: Mapping[str, float]) -> Floats:
    # Of a column of texts each is looked up once; among others 1 and True are alike, and their texts are not.
    is_plain = pd.api.types.infer_dtype(column, skipna=True) == "string"
    place, texts = pd.factorize(column if is_plain else column.astype(str).where(column.notna()))
    return np.array([*(known.get(text, MISSING_CODE) for text in texts), MISSING_CODE])[place]
