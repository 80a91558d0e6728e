"""Columns for a ridge regression: standardised signed logs and null indicators."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class LinearInputs(NamedTuple):
    """How k columns become k + m; m is the number of distinct patterns of nulls.

    Attributes:
        center, scale: shape (k,). Mean and standard deviation of the signed logs.
        indicated: shape (m,). Columns whose nulls have an indicator of their own.
    """

    center: Floats
    scale: Floats
    indicated: NDArray[np.intp]

    def matrix(self, values: Floats) -> Floats:
        """Standardised signed logs, nulls at the mean, then indicators; (n, k + m)."""
        k = len(self.center)
        inputs = np.empty((len(values), k + len(self.indicated)))
        z = np.divide(_signed_log(values) - self.center, self.scale, out=inputs[:, :k])
        z[np.isnan(z)] = 0.0
        inputs[:, k:] = np.isnan(values[:, self.indicated])
        return inputs

    def terms(self, values: Floats, slope: Floats) -> Floats:
        """What each column adds to a linear score, shape (n, k): an indicator of nulls counts with its column.

        Args:
            slope: shape (k + m,). Of the columns of `matrix`.
        """
        n_columns = len(self.center)
        added = self.matrix(values) * slope
        terms = added[:, :n_columns]
        terms[:, self.indicated] += added[:, n_columns:]
        return terms

    def to_json(self) -> dict[str, Any]:
        """Plain lists; floats survive JSON exactly."""
        return {name: array.tolist() for name, array in self._asdict().items()}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "LinearInputs":
        """The inverse of `to_json`."""
        return cls(
            np.array(plain["center"], dtype=np.float64),
            np.array(plain["scale"], dtype=np.float64),
            np.array(plain["indicated"], dtype=np.intp),
        )


def learn_linear_inputs(values: Floats) -> LinearInputs:
    """From training rows, shape (n, k); nan: unknown."""
    logs = _signed_log(values)
    known = ~np.isnan(logs)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, logs, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (logs - center) ** 2, 0).sum(axis=0) / count)
    scale = np.where(spread > 1e-9, spread, 1.0)
    return LinearInputs(center, scale, _missing_patterns(~known))


def _signed_log(values: Floats) -> Floats:
    """log(1 + v), mirrored for v < 0: refunds can make sums negative."""
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))


def _missing_patterns(missing: NDArray[np.bool_]) -> NDArray[np.intp]:
    """One column for each distinct pattern of nulls (gaps are null together)."""
    first = {missing[:, column].tobytes(): column for column in reversed(np.flatnonzero(missing.any(axis=0)))}
    return np.array(sorted(first.values()), dtype=np.intp)
