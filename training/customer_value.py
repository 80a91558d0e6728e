"""Customer value: expected purchases, times the expected margin of a purchase, discounted.

How many purchases is the timing model's answer. What a purchase is worth starts from the gamma-gamma, which shrinks a
customer's mean towards that of all, and is refined by a few small trees: unlike it, they know that the value of a
purchase changes, and that it has to do with how often a customer buys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import gamma_gamma
from training.boosting import minimum_leaf, raw_score, read_trees, save_trees, train_trees
from training.columns import numbers
from training.errors import TrainingError
from training.files import reading, write_json
from training.gamma_gamma import GammaGamma
from training.repurchase_timing import RepurchaseTimingModel
from training.timing_trees import FEATURES

Floats = NDArray[np.float64]

HISTORY = ("net_amount_ever", "net_amount_per_purchase_day_mean")
LABELS = ("valued_purchase_days_in_window", "net_amount_in_window", "follow_up_days")

YEARLY_DISCOUNT = 0.1
"""What a year's wait takes off: money in a year is worth 1 / 1.1 of money today."""

STEP_DAYS = 30
"""Purchases of so many days are discounted alike, to their middle."""

MINIMUM_EVENTS = 1000
"""With fewer rows that bought at a known amount in their follow-up: the gamma-gamma alone."""

ROUNDS = 40
MODEL_FILE = "customer_value.json"
TREES_FILE = "value_trees.txt"

METHOD = "gamma-gamma refined by trees, times the timing model's expected purchases"
METHOD_SMALL = (
    f"gamma-gamma alone (fewer than {MINIMUM_EVENTS} rows of customer and date with valued purchases), times expected "
    "purchases"
)


@dataclass(frozen=True)
class CustomerValueModel:
    """A fitted model.

    Attributes:
        trees: None if there was too little to learn from: the gamma-gamma alone.
        margin_share: margin over net amount, of all customers; 1: no product has a cost, so value is net amount.
        metadata: what it was trained on; `method` says in words what it is.
    """

    gamma_gamma: GammaGamma
    trees: lgb.Booster | None
    margin_share: float
    metadata: dict[str, Any]

    def amount_per_purchase(self, features: pd.DataFrame) -> Floats:
        """Expected net amount of a purchase day, shape (n,)."""
        shrunken = shrunken_amount(self.gamma_gamma, features)
        if self.trees is None:
            return shrunken
        return shrunken * np.exp(raw_score(self.trees, numbers(features, FEATURES)))

    def predict(
        self,
        features: pd.DataFrame,
        timing: RepurchaseTimingModel,
        horizons: Sequence[int],
        *,
        yearly_discount: float = YEARLY_DISCOUNT,
    ) -> pd.DataFrame:
        """Score customers; the index is kept.

        Args:
            features: what `timing` takes.
            timing: says how many purchases to expect.
            horizons: days after the observation date, each as `timing` takes it.
            yearly_discount: what a year's wait takes off; 0: nothing, to compare with what was bought.

        Returns:
            For each horizon expected_value_{h}d: discounted margin, which never falls as h grows. Where the timing
            model extrapolates, so does the value.

        Raises:
            TrainingError: a column is missing, a history impossible, a horizon out of range.
        """
        worth = self.amount_per_purchase(features) * self.margin_share
        purchases = discounted_purchases(timing, features, horizons, yearly_discount=yearly_discount)
        return pd.DataFrame({f"expected_value_{h}d": purchases[h] * worth for h in horizons}, index=features.index)


def discounted_purchases(
    timing: RepurchaseTimingModel, features: pd.DataFrame, horizons: Sequence[int], *, yearly_discount: float
) -> dict[int, Floats]:
    """Expected purchase days within each horizon, each worth less the later it comes; shape (n,) per horizon."""
    # Each horizon is cut at the same days, so that its value does not depend on the others asked for.
    edges = {horizon: [*range(0, horizon, STEP_DAYS), horizon] for horizon in horizons}
    days = sorted({*horizons, *(day for one in edges.values() for day in one[1:])})
    expected = timing.predict(features, days)
    by_day = {0: np.zeros(len(features)), **{day: expected[f"expected_purchases_{day}d"].to_numpy() for day in days}}

    def step(start: int, end: int) -> Floats:
        # A chance of buying may stand in for a smaller count, so that differences of counts could fall below 0.
        added = np.maximum(by_day[end] - by_day[start], 0.0)
        return np.asarray(added * (1 + yearly_discount) ** (-(start + end) / 2 / 365))

    return {
        horizon: np.sum([step(start, end) for start, end in pairwise(edges[horizon])], axis=0) for horizon in horizons
    }


def fit(features: pd.DataFrame, labels: pd.DataFrame, *, margin_share: float, seed: int) -> CustomerValueModel:
    """Train on the rows of the timing model.

    Args:
        features: columns FEATURES as of each row's observation date.
        labels: same rows. valued_purchase_days_in_window: purchase days of known amount in the first 90 days of the
            follow-up; net_amount_in_window: their sum; follow_up_days, of which the smallest marks the newest date.
        margin_share: margin over net amount; > 0.
        seed: of the trees' sampling of rows and columns.

    Raises:
        TrainingError: too few customers with an amount, a margin share that is not positive, or a missing column.
    """
    if not margin_share > 0:
        raise TrainingError(f"margin is {margin_share:g} of net amount; expected above 0: check unit costs of products")
    valued, amount, follow_up = numbers(labels, LABELS).T
    count, mean = valued_days(features)
    newest = follow_up == follow_up.min()
    params = gamma_gamma.fit(count[newest], mean[newest])
    teaches = (valued > 0) & (amount > 0)
    trees = None
    if teaches.sum() >= MINIMUM_EVENTS:
        trees = _trees(params, features[teaches], amount[teaches], valued[teaches], seed)
    metadata = {
        "method": METHOD if trees else METHOD_SMALL,
        "seed": seed,
        "rows": len(features),
        "events": int(teaches.sum()),
        "yearly_discount": YEARLY_DISCOUNT,
    }
    return CustomerValueModel(params, trees, margin_share, metadata)


def _trees(params: GammaGamma, features: pd.DataFrame, amount: Floats, valued: Floats, seed: int) -> lgb.Booster:
    """Gamma regression of the mean amount in the window; a mean of more purchases weighs more."""
    return train_trees(
        numbers(features, FEATURES),
        amount / valued,
        rounds=ROUNDS,
        start=np.log(shrunken_amount(params, features)),
        seed=seed,
        names=list(FEATURES),
        parameters={"objective": "gamma", "min_data_in_leaf": minimum_leaf(len(amount))},
        weight=valued,
    )


def shrunken_amount(params: GammaGamma, features: pd.DataFrame) -> Floats:
    """The gamma-gamma's expected net amount of a purchase day, shape (n,)."""
    return gamma_gamma.expected_value(params, *valued_days(features))


def valued_days(features: pd.DataFrame) -> tuple[Floats, Floats]:
    """How many purchase days of known amount a customer has, and their mean amount (nan: none); each of shape (n,).

    The sum over the mean is their number: a purchase day of unknown amount is in neither of the two, and has no place
    in the shrinkage, though it is one of purchase_days_ever.
    """
    total, mean = numbers(features, HISTORY).T
    return np.round(np.divide(total, mean, out=np.zeros(len(mean)), where=np.abs(mean) > 0)), mean


def save(model: CustomerValueModel, folder: Path) -> None:
    """Write JSON and, if there are trees, LightGBM text into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {
        "metadata": model.metadata,
        "gamma_gamma": model.gamma_gamma._asdict(),
        "margin_share": model.margin_share,
    }
    if model.trees:
        save_trees(model.trees, folder / TREES_FILE)
    write_json(plain, folder / MODEL_FILE)


def load(folder: Path) -> CustomerValueModel:
    """The model that `save` wrote; its scores are equal to the last bit.

    Raises:
        TrainingError: there is no model in `folder`.
    """
    file = folder / TREES_FILE
    with reading(folder / MODEL_FILE) as plain:
        trees = read_trees(file) if plain["metadata"]["method"] == METHOD or file.exists() else None
        return CustomerValueModel(GammaGamma(**plain["gamma_gamma"]), trees, plain["margin_share"], plain["metadata"])
