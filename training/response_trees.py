"""The learnt part of response propensity: a ridge regression refined by small trees.

The regression adds up what each input says. Trees alone do not: where one kind of
message was never sent to the keenest customers, they give it the keenest's rate.
"""

from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import (
    LogisticRegression,
)

from training.boosting import raw_score, train_trees, tree_terms
from training.encoding import MISSING_CODE
from training.linear_inputs import LinearInputs, learn_linear_inputs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

INVERSE_PENALTY = 0.01
ROUNDS = 40
MINIMUM_LEAF = 40

MINIMUM_RESPONSES = 50
"""With fewer responses, or refusals: the regression alone."""

MASKED_SHARE = 0.1
"""Share of the rows that are shown once more without each text."""


@dataclass(frozen=True)
class ResponseTrees:
    """Scores of encoded inputs, shape (n, k).

    Attributes:
        n_codes: for each column: number of category codes; 0: numeric.
        slope: shape (number of linear inputs + sum of n_codes,).
        booster: None if there was too little to learn from: the regression alone.
    """

    n_codes: list[int]
    inputs: LinearInputs
    slope: Floats
    intercept: float
    booster: lgb.Booster | None

    def logits(self, matrix: Floats) -> Floats:
        """Log odds of a response, shape (n,)."""
        offset = len(self.slope) - sum(self.n_codes)
        linear: Floats = self.intercept + self.inputs.matrix(_numeric(matrix, self.n_codes)) @ self.slope[:offset]
        for position, n in enumerate(self.n_codes):
            if n:
                linear += self.slope[offset + matrix[:, position].astype(np.intp)]
                offset += n
        return linear if self.booster is None else linear + raw_score(self.booster, matrix)

    def terms(self, matrix: Floats) -> tuple[float, Floats]:
        """`logits` taken apart: a constant, and what each of the k columns adds, shape (n, k)."""
        start, terms = tree_terms(self.booster, matrix) if self.booster else (0.0, np.zeros(matrix.shape))
        numeric = [position for position, n in enumerate(self.n_codes) if not n]
        offset = len(self.slope) - sum(self.n_codes)
        terms[:, numeric] += self.inputs.terms(matrix[:, numeric], self.slope[:offset])
        for position, n in enumerate(self.n_codes):
            if n:
                terms[:, position] += self.slope[offset + matrix[:, position].astype(np.intp)]
                offset += n
        return self.intercept + start, terms

    def to_json(self) -> dict[str, Any]:
        """All but the booster."""
        return {
            "n_codes": self.n_codes,
            "inputs": self.inputs.to_json(),
            "slope": self.slope.tolist(),
            "intercept": self.intercept,
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any], booster: lgb.Booster | None) -> "ResponseTrees":
        """The inverse of `to_json`."""
        return cls(
            plain["n_codes"],
            LinearInputs.from_json(plain["inputs"]),
            np.array(plain["slope"], dtype=np.float64),
            plain["intercept"],
            booster,
        )


def fit(matrix: Floats, responded: Flags, *, n_codes: list[int], seed: int) -> ResponseTrees:
    """Learn from encoded inputs, shape (n, k), with both outcomes among `responded`."""
    shown, outcome = _with_masked_copies(matrix, responded, n_codes, seed)
    inputs = learn_linear_inputs(_numeric(shown, n_codes))
    design = _design(shown, n_codes, inputs)
    regression = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", max_iter=100).fit(design, outcome)
    slope, intercept = regression.coef_[0], float(regression.intercept_[0])
    if min(responded.sum(), (~responded).sum()) < MINIMUM_RESPONSES:
        return ResponseTrees(n_codes, inputs, slope, intercept, None)
    booster = train_trees(
        shown,
        outcome,
        rounds=ROUNDS,
        start=intercept + design @ slope,
        seed=seed,
        names=[f"input_{position}" for position in range(shown.shape[1])],
        parameters={"objective": "binary", "min_data_in_leaf": MINIMUM_LEAF},
        categorical=[position for position, n in enumerate(n_codes) if n],
    )
    return ResponseTrees(n_codes, inputs, slope, intercept, booster)


def _numeric(matrix: Floats, n_codes: list[int]) -> Floats:
    return matrix[:, [position for position, n in enumerate(n_codes) if not n]]


def _design(matrix: Floats, n_codes: list[int], inputs: LinearInputs) -> Floats:
    """Linear inputs of numeric columns, then a dummy for each code of the others."""
    dummies = [np.eye(n)[matrix[:, position].astype(np.intp)] for position, n in enumerate(n_codes) if n]
    return np.hstack([inputs.matrix(_numeric(matrix, n_codes)), *dummies])


def _with_masked_copies(matrix: Floats, responded: Flags, n_codes: list[int], seed: int) -> tuple[Floats, Flags]:
    """Append copies of some rows without one of their texts, so its lack is learnt.

    An action never tried is then judged like an average action of its channel.
    """
    random = np.random.default_rng(seed)
    parts, outcomes = [matrix], [responded]
    for position in np.flatnonzero(n_codes):
        chosen = random.random(len(matrix)) < MASKED_SHARE
        copies = matrix[chosen]
        copies[:, position] = MISSING_CODE
        parts.append(copies)
        outcomes.append(responded[chosen])
    return np.vstack(parts), np.concatenate(outcomes)
