"""Out-of-time figures of both models beside their classical baselines, on the same rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from training import bg_nbd, curves, customer_value, evaluation, qini, repurchase_timing, response_propensity, uplift
from training.baselines import linear_hazard
from training.columns import numbers
from training.dataset import TrainingSet
from training.errors import TrainingError
from training.evaluation import Interval
from training.figures import Figures
from training.ranking import contact_table, rank_table
from training.repurchase_timing import HISTORY, RepurchaseTimingModel
from training.value_metrics import value_metrics

Floats = NDArray[np.float64]

MODEL = "model"
SHOWN_TIMING = ("log_loss", "brier", "auc", "calibration_slope", "predicted_over_actual", "lift_at_10_percent")
SHOWN_RESPONSE = ("log_loss", "brier", "auc", "average_precision", "predicted_over_actual", "lift_at_10_percent")


def timing(train: TrainingSet, test: TrainingSet, *, cut: date, horizons: Sequence[int], seed: int) -> Figures:
    """Learn before the cut, predict every customer at the cut, compare with what they did.

    Args:
        train: rows whose labels end at the cut.
        test: one row per customer at the cut, with a follow-up of at least the longest horizon.

    Raises:
        TrainingError: too little to learn from, or a horizon in which all or none bought.
    """
    model = repurchase_timing.fit(train.features, train.labels, seed=seed)
    days = numbers(test.labels, ["days_to_next_purchase"])[:, 0]
    predictions = {MODEL: _model_probabilities(model, test.features, horizons)}
    if model.trees:
        linear = linear_hazard(model).probability
        predictions["linear_hazard"] = {horizon: linear(test.features, horizon) for horizon in horizons}
        predictions["bg_nbd"] = _bg_nbd_probabilities(model.bg_nbd, test.features, horizons)
    scores = {who: _shown(evaluation.timing_metrics(days, p)["mean"], SHOWN_TIMING) for who, p in predictions.items()}
    losses = {who: evaluation.mean_log_losses(days, p) for who, p in predictions.items()}
    words = f"{len(days):,} customers as of {cut}, mean over {', '.join(map(str, horizons))} days"
    drawn = curves.of_timing_test(days, predictions, numbers(test.features, ["purchase_days_ever"])[:, 0], model=MODEL)
    interval = {"log_loss": evaluation.mean_interval(losses[MODEL], seed=seed)}
    return Figures(words, scores, _gains(losses, seed=seed, customers=None), curves=drawn, intervals=interval)


def _model_probabilities(
    model: RepurchaseTimingModel, features: pd.DataFrame, horizons: Sequence[int]
) -> dict[int, Floats]:
    scores = model.predict(features, horizons)
    return {horizon: scores[f"p_repurchase_{horizon}d"].to_numpy() for horizon in horizons}


def _bg_nbd_probabilities(
    parameters: bg_nbd.BgNbd, features: pd.DataFrame, horizons: Sequence[int]
) -> dict[int, Floats]:
    x, t_x, tenure = numbers(features, HISTORY).T
    return {horizon: bg_nbd.probability_of_purchase(parameters, x, t_x, tenure, horizon) for horizon in horizons}


def value(train: TrainingSet, test: TrainingSet, *, cut: date, horizon: int, seed: int) -> Figures:
    """Learn before the cut, tell each customer's net amount in the horizon after it, compare with what they spent.

    Args:
        train: rows whose labels end at the cut.
        test: one row per customer at the cut, followed up for `horizon` days, of at most 90.

    Raises:
        TrainingError: too little to learn from, or nothing was spent.
    """
    timing_model = repurchase_timing.fit(train.features, train.labels, seed=seed)
    model = customer_value.fit(train.features, train.labels, margin_share=1, seed=seed)
    scores = model.predict(test.features, timing_model, [horizon], yearly_discount=0)
    x, t_x, tenure = numbers(test.features, HISTORY).T
    counts = bg_nbd.expected_purchases(timing_model.bg_nbd, x, t_x, tenure, horizon)
    shrunken = customer_value.shrunken_amount(model.gamma_gamma, test.features)
    spent, days = numbers(test.features, ["net_amount_past_365_days", "tenure_days"]).T
    expected = {
        MODEL: scores[f"expected_value_{horizon}d"].to_numpy(),
        "bg_nbd_gamma_gamma": counts * shrunken,
        "last_years_spend": spent / np.minimum(days, 365) * horizon,
    }
    actual = numbers(test.labels, ["net_amount_in_window"])[:, 0]
    words = f"net amount of {len(actual):,} customers in {horizon} days from {cut}"
    return Figures(
        words,
        {who: value_metrics(actual, one) for who, one in expected.items()},
        _gains({who: (one - actual) ** 2 for who, one in expected.items()}, seed=seed, customers=None),
        loss="squared error",
        groups=rank_table(expected[MODEL], actual),
        curves={"gain": curves.gain(actual, expected)},
        intervals={"mae": evaluation.mean_interval(np.abs(expected[MODEL] - actual), seed=seed)},
    )


def response(
    train: TrainingSet,
    test: TrainingSet,
    *,
    cut: date,
    seed: int,
    optional: Callable[[pd.DataFrame], list[str]],
    worth: Sequence[tuple[float, float]] = (),
) -> Figures:
    """Learn from messages with outcomes closed at the cut, predict the later ones.

    Args:
        train, test: features are the inputs of the response model; labels hold customer_id, event_timestamp (when it
            was sent) and responded.
        optional: names the inputs that may be absent from the test.
        worth: values of a response and costs of a contact, for which to say how many are worth it.

    Raises:
        TrainingError: too little to learn from or to test on.
    """
    if train.labels.empty or test.labels.empty:
        raise TrainingError(
            f"{len(train.labels)} messages before {cut} and {len(test.labels)} after it; expected some on both sides"
        )
    answered = train.labels["responded"].to_numpy(dtype=bool)
    outcome = test.labels["responded"].to_numpy(dtype=bool)
    model = response_propensity.fit(
        train.features,
        answered,
        sent_at=train.labels["event_timestamp"],
        seed=seed,
        optional=optional(train.features),
    )
    predictions = {
        MODEL: model.predict(test.features),
        "earlier_responses": _from_earlier_responses(train.features, answered, test.features),
        "action_rate": _action_rate(train.features, answered, test.features),
    }
    scores = {who: _shown(evaluation.probability_metrics(outcome, p), SHOWN_RESPONSE) for who, p in predictions.items()}
    losses = {who: evaluation.log_losses(outcome, p) for who, p in predictions.items()}
    words = f"{len(outcome):,} messages sent from {cut}, {outcome.mean():.1%} with a response"
    customers = test.labels["customer_id"].tolist()
    return Figures(
        words,
        scores,
        _gains(losses, seed=seed, customers=customers),
        groups=rank_table(predictions[MODEL], outcome),
        contacts=contact_table(predictions[MODEL], outcome, worth),
        curves={
            "calibration": curves.calibration({"all messages": (outcome, predictions[MODEL])}),
            "gain": curves.gain(outcome, predictions),
        },
        intervals={"log_loss": evaluation.mean_interval(losses[MODEL], seed=seed, customers=customers)},
    )


def effect(
    train: TrainingSet, test: TrainingSet, *, cut: date, seed: int, optional: Callable[[pd.DataFrame], list[str]]
) -> Figures:
    """Learn whom messages change from tests closed at the cut, and judge it on the later ones.

    Args:
        train, test: features are the inputs of the response model; labels hold customer_id, offer, is_contacted and
            responded, of offers that have both arms.
        optional: names the inputs that may be absent from the test.

    Raises:
        TrainingError: too little to learn from or to test on.
    """
    if train.labels.empty or test.labels.empty:
        raise TrainingError(f"{len(train.labels)} messages of tests before {cut} and {len(test.labels)} after it")
    responded, contacted = (train.labels[name].to_numpy(dtype=bool) for name in ("responded", "is_contacted"))
    model = uplift.fit(train.features, responded, contacted, seed=seed, optional=optional(train.features))
    matrix, n_codes = model.encoding.matrix(train.features), model.encoding.n_codes
    arms = uplift.fit_arms(matrix, responded, contacted, n_codes=n_codes, seed=seed)
    unseen = model.encoding.matrix(test.features)
    scores = {
        MODEL: model.predict(test.features),
        "t_learner": arms.uplift(unseen),
        "response_model": arms.contacted.logits(unseen),
    }
    outcome, sent = (test.labels[name].to_numpy(dtype=bool) for name in ("responded", "is_contacted"))
    gain = qini.gains_of_contact(outcome, sent, test.labels["offer"].tolist())
    customers = test.labels["customer_id"].tolist()
    verdicts = {who: qini.verdict(score, gain, customers, seed=seed) for who, score in scores.items()}
    found = verdicts[MODEL]
    words = (
        f"{len(gain):,} messages from {cut}, {1 - sent.mean():.1%} withheld; contact adds {found.effect.estimate:.4f} "
        f"[{found.effect.low:.4f}, {found.effect.high:.4f}] responses per customer. Verdict: {found.words}"
    )
    shown = {
        who: {"qini": one.qini.estimate, "qini_low": one.qini.low, "qini_high": one.qini.high}
        for who, one in verdicts.items()
    }
    groups = rank_table(scores[MODEL], gain)
    drawn = {"amounts": pd.DataFrame(groups), "gain": curves.gain(gain, scores, per_customer=True)}
    return Figures(words, shown, {}, loss="qini", groups=groups, curves=drawn, verdict=found.words)


def _from_earlier_responses(train: pd.DataFrame, responded: NDArray[np.bool_], test: pd.DataFrame) -> Floats:
    """Logistic regression on the customer's own earlier responses and messages: the marketer's rule of thumb."""
    names = ["messages_responded_ever", "messages_sent_ever"]
    history = LogisticRegression().fit(np.log1p(np.nan_to_num(numbers(train, names))), responded)
    return np.asarray(history.predict_proba(np.log1p(np.nan_to_num(numbers(test, names))))[:, 1])


def _action_rate(train: pd.DataFrame, responded: NDArray[np.bool_], test: pd.DataFrame) -> Floats:
    """Past response rate of the action; of all messages for an action never tried."""
    rates = pd.Series(responded, index=train["action_id"].to_numpy()).groupby(level=0).mean()
    return test["action_id"].map(rates).fillna(responded.mean()).to_numpy(dtype=np.float64)


def _shown(metrics: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return {name: metrics[name] for name in names}


def _gains(losses: Mapping[str, Floats], *, seed: int, customers: Sequence[str] | None) -> dict[str, Interval]:
    return {
        who: evaluation.relative_gain(losses[MODEL], baseline, seed=seed, customers=customers)
        for who, baseline in losses.items()
        if who != MODEL
    }
