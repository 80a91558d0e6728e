"""Repurchase timing: one hazard model (when, whether) and one rate model (how often).

The hazard of buying in each bin of the next 90 days starts from a linear hazard and is refined by a few small trees;
the purchase rate is a Poisson model of small trees. The BG/NBD carries on beyond 90 days, and stands alone where there
is too little to learn from. Customers who never bought have a waiting time of their own. All probabilities of a
customer come from one survival curve, so they can't contradict each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import bg_nbd, first_purchase, timing_trees
from training.bg_nbd import BgNbd
from training.boosting import read_trees, save_trees
from training.columns import numbers
from training.errors import TrainingError
from training.files import reading, write_json
from training.first_purchase import FirstPurchase
from training.histories import History, checked
from training.linear_hazard import LinearHazard
from training.person_periods import BIN_EDGES, HORIZON_DAYS, person_periods
from training.survival import Survival
from training.timing_trees import FEATURES, MINIMUM_RATE_DAYS, TimingTrees

__all__ = [
    "FEATURES",
    "HISTORY",
    "LABELS",
    "RepurchaseTimingModel",
    "fit",
    "load",
    "save",
]

Floats = NDArray[np.float64]

HISTORY: tuple[str, ...] = ("frequency", "recency_days", "tenure_days")
KNOWN_DAYS = "known_days"
LABELS = ("days_to_next_purchase", "follow_up_days", "purchase_days_in_window")

MINIMUM_EVENTS = 1000
"""With fewer rows of customer and date that bought in time to teach: the BG/NBD alone. A purchase teaches once for each
date whose next one it is."""

LONGEST_HORIZON = 3650
"""Days. No year of purchases says anything of the next decade."""

MODEL_FILE = "repurchase_timing.json"
HAZARD_FILE = "hazard_trees.txt"
RATE_FILE = "rate_trees.txt"

METHOD = "linear hazard refined by trees, Poisson rate; BG/NBD beyond 90 days"
METHOD_SMALL = (
    f"BG/NBD alone: fewer than {MINIMUM_EVENTS} rows of customer and date with a purchase to learn from, or everybody "
    "bought at once"
)


@dataclass(frozen=True)
class RepurchaseTimingModel:
    """A fitted model.

    Attributes:
        trees: None if there was too little to learn from: the BG/NBD alone.
        metadata: what it was trained on; `method` says in words what it is.
        first_purchase: None if there was nobody who had not bought to learn from.
    """

    bg_nbd: BgNbd
    trees: TimingTrees | None
    metadata: dict[str, Any]
    first_purchase: FirstPurchase | None = None

    @property
    def learnt_days(self) -> int:
        """The longest horizon whose labels were complete in training: what is said of longer ones is extrapolated."""
        return int(self.metadata["extrapolated_beyond_days"])

    def predict(self, features: pd.DataFrame, horizons: Sequence[int]) -> pd.DataFrame:
        """Score customers; the index is kept.

        Args:
            features: columns FEATURES and HISTORY; one row per customer with at least
                one purchase before the observation date.
            horizons: whole days after the observation date, each 1 to LONGEST_HORIZON.

        Returns:
            For each horizon p_repurchase_{h}d, which never falls as h grows, and
            expected_purchases_{h}d; then median_days_to_repurchase (first day with
            survival <= 0.5; nan: beyond 90 days) and p_alive (buys again within
            LONGEST_HORIZON; never below a probability). `attrs["extrapolated"]` names the
            columns whose horizon is beyond the learnt curve (90 days, less in a short
            history).

        Raises:
            TrainingError: a column is missing, a history impossible, a horizon out of range.
        """
        scores = self.scores(numbers(features, self.metadata["features"]), numbers(features, HISTORY).T, horizons)
        return self._as_frame(scores, features, horizons)

    def predict_first(self, features: pd.DataFrame, horizons: Sequence[int]) -> pd.DataFrame:
        """Score customers who never bought: as `predict`, of their first purchase; p_alive is nan.

        Args:
            features: column known_days.

        Returns:
            No rows if the model has no `first_purchase`.

        Raises:
            TrainingError: the column is missing, or a horizon out of range.
        """
        if self.first_purchase is None:
            return pd.DataFrame()
        return self._as_frame(self.first_scores(numbers(features, [KNOWN_DAYS])[:, 0], horizons), features, horizons)

    def _as_frame(self, scores: dict[str, Floats], features: pd.DataFrame, horizons: Sequence[int]) -> pd.DataFrame:
        frame = pd.DataFrame(scores, index=features.index)
        frame.attrs["extrapolated"] = [
            f"{name}_{h}d" for h in horizons if h > self.learnt_days for name in ("p_repurchase", "expected_purchases")
        ]
        return frame

    def scores(self, values: Floats, history: Floats, horizons: Sequence[int]) -> dict[str, Floats]:
        """As `predict`, of arrays: values of the metadata's features (n, k) and HISTORY (3, n); each of shape (n,)."""
        _require_sound(horizons)
        survival = self._survival(values, history)
        bought = {h: self._probability(survival, history, h) for h in horizons}
        count = {h: self._expected_purchases(values, history, h, bought[h]) for h in horizons}
        return {
            **{f"p_repurchase_{h}d": bought[h] for h in horizons},
            **{f"expected_purchases_{h}d": count[h] for h in horizons},
            "median_days_to_repurchase": survival.median_days(),
            # The BG/NBD's own is 1 for whoever bought once, however long ago: nobody leaves before a second purchase.
            "p_alive": self._probability(survival, history, LONGEST_HORIZON),
        }

    def linear_probability(self, values: Floats, history: Floats, horizon: int) -> Floats:
        """P(buy within the horizon) as in `scores`, by the linear hazard without the trees; shape (n,)."""
        if self.trees is None:
            raise TrainingError("the model is the BG/NBD alone and has no linear hazard: train it on more purchases")
        return self._probability(self.trees.linear_survival(values), history, horizon)

    def first_scores(self, known_days: Floats, horizons: Sequence[int]) -> dict[str, Floats]:
        """As `predict_first`, of an array of shape (n,) and by a model that has a `first_purchase`."""
        _require_sound(horizons)
        if self.first_purchase is None:
            raise TrainingError("the model knows nobody who had not bought: train it where there are such customers")
        new = History(*np.zeros((3, 1)))
        repeats = bg_nbd.expected_while_alive(self.bg_nbd, new, np.arange(float(max(horizons))))
        return first_purchase.scores(self.first_purchase, repeats, known_days, horizons)

    def _survival(self, values: Floats, history: Floats) -> Survival:
        if self.trees:
            return self.trees.survival(values)
        x, t_x, tenure = history
        days = np.arange(HORIZON_DAYS + 1.0)
        none = [1 - bg_nbd.probability_of_purchase(self.bg_nbd, x, t_x, tenure, day) for day in days]
        # Rounding can leave a probability of none at 0, whose logarithm can't be shared out.
        kept = np.maximum(np.stack(none, axis=1), np.finfo(np.float64).tiny)
        return Survival(days, np.log(kept))

    def _probability(self, survival: Survival, history: Floats, horizon: int) -> Floats:
        """1 - survival to the curve's end, times the BG/NBD's survival beyond it."""
        end = survival.days[-1]
        none = survival.at(min(horizon, end))
        if horizon > end:
            x, t_x, tenure = history
            none *= 1 - bg_nbd.probability_of_purchase(self.bg_nbd, x, t_x, tenure + end, horizon - end)
        return 1 - none

    def _expected_purchases(self, values: Floats, history: Floats, horizon: int, probability: Floats) -> Floats:
        """Never below the probability of buying at all, from the other model."""
        if self.trees is None:
            x, t_x, tenure = history
            return bg_nbd.expected_purchases(self.bg_nbd, x, t_x, tenure, horizon)
        near = min(horizon, self.trees.horizon_days)
        expected = self.trees.daily_rate(values) * near
        if horizon > near:
            # Beyond what was learnt, level by the rate, and the decline of customers who leave by the BG/NBD.
            past = checked(*history)
            later, sooner = (bg_nbd.expected_while_alive(self.bg_nbd, past, days) for days in (horizon, near))
            expected *= later / sooner
        return np.maximum(expected, probability)


def _require_sound(horizons: Sequence[int]) -> None:
    if not len(horizons) or not all(
        isinstance(day, int | np.integer) and 1 <= day <= LONGEST_HORIZON for day in horizons
    ):
        raise TrainingError(
            f"horizons {list(horizons)}: expected some, each of 1 to {LONGEST_HORIZON} whole days: ask for others"
        )


def fit(features: pd.DataFrame, labels: pd.DataFrame, *, seed: int) -> RepurchaseTimingModel:
    """Train on (customer, observation date) rows cut at one as-of date.

    Args:
        features: columns FEATURES and HISTORY as of each row's observation date.
        labels: same rows in the same order. days_to_next_purchase: 0 is the
            observation date itself, nan: none seen. follow_up_days: whole days from the
            observation date to the cut. purchase_days_in_window: purchase days in the
            first min(follow_up_days, 90) days.
        seed: of the trees' sampling of rows and columns.

    Rows with follow_up_days 0 (the cut itself) teach the BG/NBD only: it is fitted on
    the newest observation date present.

    Raises:
        TrainingError: no rows, rows that don't match, a column is missing, a history
            impossible, or no repeat buyer.
    """
    if len(features) != len(labels) or features.empty:
        raise TrainingError(
            f"{len(features)} feature rows, {len(labels)} label rows; expected as many "
            "of both and more than none: check the observation dates"
        )
    values, history = numbers(features, FEATURES), numbers(features, HISTORY)
    days_to_next, follow_up, purchases = numbers(labels, LABELS).T
    # The newest observation date has each customer once, with the longest history.
    newest = follow_up == follow_up.min()
    baseline = bg_nbd.fit(*history[newest].T)
    periods = person_periods(days_to_next, follow_up)
    taught = periods.bought & (follow_up[periods.row] >= MINIMUM_RATE_DAYS)
    events = int(taught.sum())
    trees = None
    # Where everybody buys at once there is no hazard to tell apart.
    if events >= MINIMUM_EVENTS and not periods.bought.all():
        trees = timing_trees.fit(values, periods, follow_up, purchases, seed=seed)
    metadata = {
        "method": METHOD if trees else METHOD_SMALL,
        "features": list(FEATURES),
        "seed": seed,
        "rows": len(features),
        "person_periods": len(periods.row),
        "events": events,
        "extrapolated_beyond_days": max(edge for edge in BIN_EDGES if edge <= follow_up.max()),
    }
    return RepurchaseTimingModel(baseline, trees, metadata)


def save(model: RepurchaseTimingModel, folder: Path) -> None:
    """Write JSON and, if there are trees, LightGBM text into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plain: dict[str, Any] = {
        "metadata": model.metadata,
        "bg_nbd": model.bg_nbd._asdict(),
    }
    if model.first_purchase:
        plain["first_purchase"] = model.first_purchase._asdict()
    if model.trees:
        plain["overall_rate"] = model.trees.overall_rate
        plain["horizon_days"] = model.trees.horizon_days
        plain["linear_hazard"] = model.trees.linear.to_json()
        save_trees(model.trees.hazard_trees, folder / HAZARD_FILE)
        save_trees(model.trees.rate_trees, folder / RATE_FILE)
    write_json(plain, folder / MODEL_FILE)


def load(folder: Path) -> RepurchaseTimingModel:
    """The model that `save` wrote; its scores are equal to the last bit.

    Raises:
        TrainingError: there is no model in `folder`.
    """
    with reading(folder / MODEL_FILE) as plain:
        trees = None
        if "linear_hazard" in plain:
            trees = TimingTrees(
                LinearHazard.from_json(plain["linear_hazard"]),
                read_trees(folder / HAZARD_FILE),
                read_trees(folder / RATE_FILE),
                plain["overall_rate"],
                plain["horizon_days"],
            )
        first = FirstPurchase(**plain["first_purchase"]) if "first_purchase" in plain else None
        return RepurchaseTimingModel(BgNbd(**plain["bg_nbd"]), trees, plain["metadata"], first)
