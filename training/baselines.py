"""What the timing model must beat: classical models and rules of thumb, fitted on the same rows."""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from training import cox
from training.columns import numbers
from training.dataset import TrainingSet
from training.errors import TrainingError
from training.linear_inputs import learn_linear_inputs
from training.person_periods import HORIZON_DAYS
from training.repurchase_timing import HISTORY, LABELS, RepurchaseTimingModel
from training.timing_trees import FEATURES

Floats = NDArray[np.float64]
Predict = Callable[[pd.DataFrame, int], Floats]

RFM = ("days_since_last_purchase", "purchase_days_ever", "net_amount_per_purchase_day_mean")
FREQUENCY = ("purchase_days_ever",)
YEAR = 365

PRIOR_PURCHASES = 0.5
"""Added to last year's purchases: who bought none may yet buy."""


class Baseline(NamedTuple):
    """A fitted model; both functions take features of n customers and a horizon in days, and give shape (n,).

    Attributes:
        probability: of a purchase within the horizon.
        expected_purchases: within the horizon; None: the model does not count.
        has_curve: whether it knows any horizon; otherwise only those it was fitted for.
    """

    probability: Predict
    expected_purchases: Predict | None
    has_curve: bool


def buy_till_you_die(module: ModuleType, train: TrainingSet) -> Baseline:
    """One of bg_nbd, mbg_nbd and pareto_nbd, fitted on the newest observation date, which has each customer once."""
    follow_up = numbers(train.labels, ["follow_up_days"])[:, 0]
    params = module.fit(*numbers(train.features, HISTORY)[follow_up == follow_up.min()].T)
    return Baseline(
        lambda features, days: module.probability_of_purchase(params, *numbers(features, HISTORY).T, days),
        lambda features, days: module.expected_purchases(params, *numbers(features, HISTORY).T, days),
        has_curve=True,
    )


def timing_model(model: RepurchaseTimingModel) -> Baseline:
    """The model itself, to be measured like the others."""
    return Baseline(
        lambda features, days: model.predict(features, [days])[f"p_repurchase_{days}d"].to_numpy(),
        lambda features, days: model.predict(features, [days])[f"expected_purchases_{days}d"].to_numpy(),
        has_curve=True,
    )


def linear_hazard(model: RepurchaseTimingModel) -> Baseline:
    """The timing model without its trees; beyond the bins it learnt the BG/NBD carries on, as for the model."""

    def probability(features: pd.DataFrame, days: int) -> Floats:
        return model.linear_probability(numbers(features, FEATURES), numbers(features, HISTORY).T, days)

    return Baseline(probability, None, has_curve=True)


def cox_regression(train: TrainingSet) -> Baseline:
    """Cox regression on the timing model's columns; follow-up ends at 90 days, as it does for the others."""
    days_to_next, follow_up, _ = numbers(train.labels, LABELS).T
    fitted = cox.fit(numbers(train.features, FEATURES), days_to_next, np.minimum(follow_up, HORIZON_DAYS))
    return Baseline(
        lambda features, days: fitted.probability_of_purchase(numbers(features, FEATURES), days), None, has_curve=True
    )


def logistic(train: TrainingSet, names: Sequence[str], horizons: Sequence[int]) -> Baseline:
    """A logistic regression per horizon on logarithms of a few columns, from rows followed up for all of it.

    Raises:
        TrainingError: no row is followed up so long, or all or none of them bought.
    """
    values = numbers(train.features, names)
    inputs = learn_linear_inputs(values)
    days_to_next, follow_up, _ = numbers(train.labels, LABELS).T

    def fitted(horizon: int) -> LogisticRegression:
        whole = follow_up >= horizon
        bought = days_to_next[whole] < horizon
        if len(np.unique(bought)) < 2:
            raise TrainingError(
                f"{whole.sum()} rows followed up for {horizon} days, {bought.sum()} with a purchase; "
                "expected some with and some without: use a later cut or a nearer horizon"
            )
        return LogisticRegression().fit(inputs.matrix(values[whole]), bought)

    models = {horizon: fitted(horizon) for horizon in horizons}

    def probability(features: pd.DataFrame, days: int) -> Floats:
        return np.asarray(models[days].predict_proba(inputs.matrix(numbers(features, names)))[:, 1])

    return Baseline(probability, None, has_curve=False)


def last_years_rate() -> Baseline:
    """Everybody goes on at the rate of the last 365 days, or of her time as a customer where that is shorter."""

    def expected(features: pd.DataFrame, days: int) -> Floats:
        bought, tenure = numbers(features, ["purchase_days_past_365_days", "tenure_days"]).T
        return np.asarray((bought + PRIOR_PURCHASES) / np.minimum(tenure, YEAR) * days)

    return Baseline(lambda features, days: np.asarray(-np.expm1(-expected(features, days))), expected, has_curve=True)
