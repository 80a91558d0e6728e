"""Training one model: judge it out of time, fit it on all that is known, keep it with its card."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond.keeping import Trained, keep
from training import (
    backtest,
    curves,
    customer_value,
    dataset,
    first_purchase,
    offers,
    repurchase_timing,
    response_propensity,
    uplift,
)
from training.columns import numbers
from training.dataset import ATTRIBUTES, CUSTOMER_VALUE, REPURCHASE_TIMING, RESPONSE_PROPENSITY, UPLIFT, TrainingSet
from training.encoding import learn_encoding
from training.errors import TrainingError
from training.figures import Figures
from training.first_purchase import FirstPurchase
from training.person_periods import HORIZONS
from training.repurchase_timing import KNOWN_DAYS
from training.training_rows import EVENT_TIMESTAMP, buyers, observation_dates, of_tested_offers, prospects

HOLDOUT_DAYS = 90
SEED = 1

TIMING_INPUTS = list(dict.fromkeys([*repurchase_timing.FEATURES, *repurchase_timing.HISTORY]))


def train_timing(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """When each customer buys again; tested on the newest date with a whole holdout behind it."""
    figures = _tested(lambda: _test_timing(store, connection, cut))
    rows = dataset.repurchase_timing(store, connection, cut=cut)
    first = _first_purchase(dataset.first_purchases(store, connection, cut=cut))
    model = replace(repurchase_timing.fit(rows.features, rows.labels, seed=SEED), first_purchase=first)
    facts = {
        "purpose": "When each customer buys again, whether at all, and how often.",
        "data": f"{model.metadata['rows']:,} rows of customer and date, purchases until {cut}",
        "features": [*TIMING_INPUTS, KNOWN_DAYS],
        "method": model.metadata["method"],
        "first_purchases": _test_first_purchase(store, connection, cut),
        "limits": "Of customers without a purchase it knows only for how long they have been known. "
        f"Beyond {model.learnt_days} days the curve is extrapolated. "
        "Levels drift where a market does: watch predicted over actual.",
    }
    explained = curves.of_timing_model(model, rows.features)
    return keep(
        REPURCHASE_TIMING, connection, cut, facts, figures, lambda to: repurchase_timing.save(model, to), explained
    )


def _test_timing(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    train, test, tested_at = _timing_holdout(store, connection, cut)
    return backtest.timing(train, test, cut=tested_at, horizons=HORIZONS, seed=SEED)


def _first_purchase(rows: TrainingSet) -> FirstPurchase | None:
    labels = numbers(rows.labels, ["days_to_next_purchase", "follow_up_days"])
    return first_purchase.fit(numbers(rows.features, [KNOWN_DAYS])[:, 0], *labels.T)


def _test_first_purchase(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> str:
    """What the waiting time learnt before the holdout expects of those who had not bought by then, beside what came."""
    tested_at = _holdout_date(connection, cut)
    model = _first_purchase(dataset.first_purchases(store, connection, cut=tested_at)) if tested_at else None
    waiting = prospects(connection, [tested_at]) if tested_at else pd.DataFrame()
    if model is None or tested_at is None or waiting.empty:
        return "No customers without a purchase to test on."
    known_days = numbers(dataset.service_features(store, REPURCHASE_TIMING, waiting), [KNOWN_DAYS])[:, 0]
    days = dataset.repurchase_labels(connection, waiting, cut)["days_to_next_purchase"]
    chance = model.probability(known_days, HOLDOUT_DAYS)
    margin = 1.96 * float(np.sqrt((chance * (1 - chance)).sum()))
    return (
        f"Of {len(waiting):,} customers without a purchase as of {tested_at}, {chance.sum():,.0f} were expected to buy "
        f"within {HOLDOUT_DAYS} days (give or take {margin:,.0f}); {(days < HOLDOUT_DAYS).sum():,} did."
    )


def train_value(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """What each customer will be worth; tested against what they spent in the holdout."""
    figures = _tested(lambda: _test_value(store, connection, cut))
    rows = dataset.repurchase_timing(store, connection, cut=cut)
    margin_share = dataset.margin_share(connection, cut=cut)
    model = customer_value.fit(rows.features, rows.labels, margin_share=margin_share or 1.0, seed=SEED)
    unit = f"margin, {margin_share:.1%} of net amount" if margin_share else "net amount, for no product has a cost"
    facts = {
        "purpose": "What each customer will be worth within a horizon.",
        "data": f"{model.metadata['events']:,} rows of customer and date with purchases of known amount until {cut}",
        "features": TIMING_INPUTS,
        "method": f"{model.metadata['method']}; {customer_value.YEARLY_DISCOUNT:.0%} a year off what comes later",
        "limits": f"Value is {unit}. The share is that of all customers. How often is the answer of the timing model "
        "in use when scoring; beyond its horizon values are extrapolated. Costs of serving a customer are not in it.",
    }
    explained = curves.of_trees({"amount": model.trees}, repurchase_timing.FEATURES) if model.trees else {}
    return keep(CUSTOMER_VALUE, connection, cut, facts, figures, lambda to: customer_value.save(model, to), explained)


def _test_value(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    train, test, tested_at = _timing_holdout(store, connection, cut)
    return backtest.value(train, test, cut=tested_at, horizon=HOLDOUT_DAYS, seed=SEED)


def _timing_holdout(
    store: FeatureStore, connection: DuckDBPyConnection, cut: date
) -> tuple[TrainingSet, TrainingSet, date]:
    """Rows to learn from and to test on, and the date between them: the newest with a whole holdout behind it."""
    tested_at = _holdout_date(connection, cut)
    if tested_at is None:
        raise TrainingError(f"no observation {HOLDOUT_DAYS} days before {cut}")
    customers = buyers(connection, [tested_at])
    test = TrainingSet(
        dataset.service_features(store, REPURCHASE_TIMING, customers),
        dataset.repurchase_labels(connection, customers, cut),
    )
    return dataset.repurchase_timing(store, connection, cut=tested_at), test, tested_at


def _holdout_date(connection: DuckDBPyConnection, cut: date) -> date | None:
    latest = cut - timedelta(days=HOLDOUT_DAYS)
    return max((one for one in observation_dates(connection) if one <= latest), default=None)


def train_response(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """What each customer would accept; tested on the messages of the holdout."""
    sent = dataset.messages(connection, sent_from=None, cut=cut)
    if sent.empty:
        raise TrainingError("no message with a closed outcome: land communications, or wait until offers end")
    figures = _tested(lambda: _test_response(store, connection, cut))
    inputs = offers.response_inputs(store, sent)
    model = response_propensity.fit(
        inputs,
        sent["responded"].to_numpy(dtype=bool),
        sent_at=sent[EVENT_TIMESTAMP],
        seed=SEED,
        optional=attribute_columns(inputs),
    )
    facts = {
        "purpose": "Chance that a customer accepts an offer if contacted.",
        "data": f"{_counted(sent)} with closed outcomes, {model.metadata['responses']:,} responses",
        "features": [*inputs.columns, ATTRIBUTES],
        "method": f"{model.metadata['method']}, calibrated out of fold on the messages sent from "
        f"{model.metadata['calibration_sent_from']} to {model.metadata['calibration_sent_to']}",
        "limits": "It learnt from those who were chosen to be contacted. It says who responds, not whom a message "
        "changes: that needs control messages.",
    }
    if model.level:
        facts["level"] = str(model.level)
    explained = curves.of_response_model(model, inputs)
    kept = keep(
        RESPONSE_PROPENSITY, connection, cut, facts, figures, lambda to: response_propensity.save(model, to), explained
    )
    if not (model.level and model.level.has_drifted):
        return kept
    return replace(kept, notices=(str(model.level), *kept.notices))


def _test_response(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    holdout = cut - timedelta(days=HOLDOUT_DAYS)

    train = _inputs_of(store, dataset.messages(connection, sent_from=None, cut=holdout))
    test = _inputs_of(store, dataset.messages(connection, sent_from=holdout, cut=cut), read_as=train)
    worth = _worth_of_offers(connection)
    return backtest.response(train, test, cut=holdout, seed=SEED, optional=attribute_columns, worth=worth)


def _inputs_of(store: FeatureStore, sent: pd.DataFrame, *, read_as: TrainingSet | None = None) -> TrainingSet:
    """Messages with their inputs, read as by a model that learns from the rows of `read_as`; None: they teach."""
    if sent.empty:
        return TrainingSet(pd.DataFrame(), sent)
    categories = None if read_as is None else learn_encoding(read_as.features).categories
    return TrainingSet(offers.response_inputs(store, sent, categories), sent)


def _counted(sent: pd.DataFrame) -> str:
    of = int(sent["of_messages"].iloc[0])
    return f"{len(sent):,} messages" if len(sent) == of else f"a sample of {len(sent):,} of {of:,} messages"


def _worth_of_offers(connection: DuckDBPyConnection) -> list[tuple[float, float]]:
    """Values of a response and costs of a contact in the catalogue, each pair once."""
    query = "select distinct cast(value * weight as double), cast(cost as double) from seeds.actions order by 1 desc, 2"
    return connection.execute(query).fetchall()


def train_uplift(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """Whom a message changes; tested on the tests of the holdout, with a verdict."""
    rows = _inputs_of(store, _tested_offers(connection, None, cut))
    if rows.labels.empty:
        raise TrainingError("no message was withheld by design (arm: control): withhold some of the next campaign")
    figures = _tested(lambda: _test_uplift(store, connection, cut))
    responded, contacted = (rows.labels[name].to_numpy(dtype=bool) for name in ("responded", "is_contacted"))
    fitted = uplift.fit(rows.features, responded, contacted, seed=SEED, optional=attribute_columns(rows.features))
    # Decisions heed the verdict, so it goes where the model goes.
    verdict = figures.verdict if isinstance(figures, Figures) else None
    model = replace(fitted, metadata={**fitted.metadata, "verdict": verdict})
    facts = {
        "purpose": "How much more likely a customer responds because a message is sent.",
        "data": f"{_counted(rows.labels)} of actions and channels with both: {model.metadata['contacted']:,} sent and "
        f"{model.metadata['withheld']:,} withheld by design",
        "features": [*rows.features.columns, ATTRIBUTES],
        "method": "X-learner on regularised response models of both arms; the T-learner beside it",
        "limits": "Right where messages were withheld at random. Unless the verdict is to personalise, its order of "
        "customers is not proven to be better than chance.",
    }
    trees = {"learnt from those contacted": model.contacted, "learnt from those withheld": model.withheld}
    explained = curves.of_trees(trees, list(model.encoding.categories))
    return keep(UPLIFT, connection, cut, facts, figures, lambda to: uplift.save(model, to), explained)


def _test_uplift(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    holdout = cut - timedelta(days=HOLDOUT_DAYS)
    train = _inputs_of(store, _tested_offers(connection, None, holdout))
    test = _inputs_of(store, _tested_offers(connection, holdout, cut), read_as=train)
    return backtest.effect(train, test, cut=holdout, seed=SEED, optional=attribute_columns)


def _tested_offers(connection: DuckDBPyConnection, sent_from: date | None, cut: date) -> pd.DataFrame:
    """Messages of offers that some were left without by design."""
    return of_tested_offers(dataset.messages(connection, sent_from=sent_from, cut=cut, arm=None))


def attribute_columns(inputs: pd.DataFrame) -> list[str]:
    """Inputs that come from JSON attributes, so that they may be absent elsewhere."""
    return [name for name in inputs.columns if name.startswith(("offer_", "customer_"))]


def _tested(test: Callable[[], Figures]) -> Figures | str:
    """What a test gave, or why it gave nothing: a short history is no reason not to train, and the card says so."""
    try:
        return test()
    except TrainingError as error:
        return str(error)


TRAINERS: dict[str, Callable[[FeatureStore, DuckDBPyConnection, date], Trained]] = {
    REPURCHASE_TIMING: train_timing,
    CUSTOMER_VALUE: train_value,
    RESPONSE_PROPENSITY: train_response,
    UPLIFT: train_uplift,
}
