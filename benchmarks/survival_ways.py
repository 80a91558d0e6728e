"""Ways to learn from the same rows when customers buy again, and to say it of all of them: seconds and memory of each.

repurchase_timing      Millpond's model
cox                    CoxPHSurvivalAnalysis of scikit-survival: one curve, moved up and down by linear inputs
random_survival_forest of scikit-survival, 100 trees, with leaves of 1 % of the rows

Each way has a process of its own, with limits of time and memory; one that reached them is not tried with more rows.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from watching import Limits, Read, watched

from training import repurchase_timing
from training.dataset import TrainingSet
from training.person_periods import HORIZON_DAYS, HORIZONS
from training.repurchase_timing import FEATURES, HISTORY, LABELS

Floats = NDArray[np.float64]

SIZES = (3_000, 30_000, 300_000)
LIMITS = Limits(seconds=60, memory_gb=8)
INPUTS = list(dict.fromkeys([*FEATURES, *HISTORY]))
SEED = 1


def tried(rows: TrainingSet, folder: Path) -> list[dict[str, Any]]:
    """One entry per size and way; rows that were followed up for a day at least, the same ones for all ways."""
    file = folder / "survival_rows.parquet"
    labels = rows.labels.loc[:, list(LABELS)]
    both = pd.concat([rows.features.loc[:, INPUTS], labels], axis=1)
    both[both["follow_up_days"] > 0].sample(frac=1, random_state=SEED).to_parquet(file, index=False)
    runs: list[dict[str, Any]] = []
    given_up: set[str] = set()
    for size in SIZES:
        for way in (way for way in WAYS if way not in given_up):
            run = watched(partial(_reader, file, way, size), folder / f"{way}.parquet", LIMITS, repeats=1)
            given_up |= {way} if "stopped" in run else set()
            runs.append({"way": way, "rows": size, **run})
    return runs


def _reader(file: Path, way: str, size: int) -> Read:
    """Fits and predicts; shape of the answer (size, len(HORIZONS))."""
    rows = pd.read_parquet(file).head(size)
    return lambda: pa.Table.from_pandas(pd.DataFrame(WAYS[way](rows)).rename(columns=str))


def _millpond(rows: pd.DataFrame) -> Floats:
    features, labels = rows.loc[:, INPUTS], rows.loc[:, list(LABELS)]
    model = repurchase_timing.fit(features, labels, seed=SEED)
    return model.predict(features, HORIZONS)[[f"p_repurchase_{h}d" for h in HORIZONS]].to_numpy()


def _cox(rows: pd.DataFrame) -> Floats:
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    values = _filled(rows)
    spread = values.std(axis=0)
    # A ridge, because some inputs add up to others.
    return _bought(
        CoxPHSurvivalAnalysis(alpha=1.0), (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1), rows
    )


def _random_survival_forest(rows: pd.DataFrame) -> Floats:
    from sksurv.ensemble import RandomSurvivalForest

    forest = RandomSurvivalForest(100, min_samples_leaf=max(15, len(rows) // 100), n_jobs=-1, random_state=SEED)
    return _bought(forest, _filled(rows), rows)


def _filled(rows: pd.DataFrame) -> Floats:
    """The inputs, with medians where one is null: scikit-survival takes no gaps. Shape (n, len(INPUTS))."""
    values = rows.loc[:, INPUTS].astype(np.float64)
    return values.fillna(values.median()).fillna(0.0).to_numpy()


def _bought(learner: Any, values: Floats, rows: pd.DataFrame) -> Floats:
    """Fit, then the probability of a purchase within each horizon."""
    from sksurv.util import Surv

    days = rows["days_to_next_purchase"].to_numpy(dtype=np.float64)
    until = np.minimum(rows["follow_up_days"].to_numpy(dtype=np.float64), HORIZON_DAYS)
    bought = days < until
    # Day 0 counts as half a day: time has to be positive.
    learner.fit(values, Surv.from_arrays(bought, np.where(bought, np.maximum(days, 0.5), until)))
    curves, times = learner.predict_survival_function(values, return_array=True), learner.unique_times_
    places = [max(np.searchsorted(times, horizon) - 1, 0) for horizon in HORIZONS]
    return np.asarray(1 - curves[:, places])


WAYS: dict[str, Callable[[pd.DataFrame], Floats]] = {
    "repurchase_timing": _millpond,
    "cox": _cox,
    "random_survival_forest": _random_survival_forest,
}
