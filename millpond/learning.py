"""Training one model: judge it out of time, fit it on all that is known, keep it with its card."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond import settings
from training import backtest, dataset, model_card, model_store, repurchase_timing, response_propensity
from training.backtest import Figures
from training.dataset import REPURCHASE_TIMING, RESPONSE_PROPENSITY, TrainingSet
from training.errors import TrainingError

HORIZONS = (7, 14, 30, 60, 90)
HOLDOUT_DAYS = 90
SEED = 1

NOT_FOR = "Anyone who decides on credit, prices of necessities, employment or insurance; nobody it scores was asked."


@dataclass(frozen=True)
class Trained:
    """A model that was made current. Figures are None where history is too short for a test out of time."""

    name: str
    version: str
    folder: Path
    figures: Figures | None


def train_timing(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """When each customer buys again; tested on the newest date with a whole holdout behind it."""
    figures = _tested(lambda: _test_timing(store, connection, cut))
    rows = dataset.repurchase_timing(store, connection, cut=cut)
    model = repurchase_timing.fit(rows.features, rows.labels, seed=SEED)
    facts = {
        "purpose": "When each customer buys again, whether at all, and how often.",
        "data": f"{model.metadata['rows']:,} rows of customer and date, purchases until {cut}",
        "features": model.metadata["features"],
        "method": model.metadata["method"],
        "limits": "Customers without a purchase get no prediction. "
        f"Beyond {model.metadata['extrapolated_beyond_days']} days the curve is extrapolated. "
        "Levels drift where a market does: watch predicted over actual.",
    }
    return _keep(REPURCHASE_TIMING, connection, cut, facts, figures, lambda to: repurchase_timing.save(model, to))


def _test_timing(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    latest = cut - timedelta(days=HOLDOUT_DAYS)
    dates = [one for one in dataset.observation_dates(connection) if one <= latest]
    if not dates:
        raise TrainingError(f"no observation {HOLDOUT_DAYS} days before {cut}")
    customers = dataset.buyers(connection, [dates[-1]])
    test = TrainingSet(
        dataset.service_features(store, REPURCHASE_TIMING, customers),
        dataset.repurchase_labels(connection, customers, cut),
    )
    train = dataset.repurchase_timing(store, connection, cut=dates[-1])
    return backtest.timing(train, test, cut=dates[-1], horizons=HORIZONS, seed=SEED)


def train_response(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Trained:
    """What each customer would accept; tested on the messages of the holdout."""
    sent = dataset.messages(connection, sent_from=None, cut=cut)
    if sent.empty:
        raise TrainingError("no message with a closed outcome: land communications, or wait until offers end")
    figures = _tested(lambda: _test_response(store, connection, cut))
    inputs = dataset.response_inputs(store, sent)
    model = response_propensity.fit(
        inputs,
        sent["responded"].to_numpy(dtype=bool),
        sent_at=sent[dataset.EVENT_TIMESTAMP],
        seed=SEED,
        optional=attribute_columns(inputs),
    )
    facts = {
        "purpose": "Chance that a customer accepts an offer if contacted.",
        "data": f"{model.metadata['rows']:,} messages with closed outcomes, {model.metadata['responses']:,} responses",
        "features": list(inputs.columns),
        "method": "Small regularised trees, calibrated out of fold on the messages sent from "
        f"{model.metadata['calibration_sent_from']} to {model.metadata['calibration_sent_to']}",
        "limits": "It learnt from those who were chosen to be contacted. It says who responds, not whom a message "
        "changes: that needs control messages.",
    }
    return _keep(RESPONSE_PROPENSITY, connection, cut, facts, figures, lambda to: response_propensity.save(model, to))


def _test_response(store: FeatureStore, connection: DuckDBPyConnection, cut: date) -> Figures:
    holdout = cut - timedelta(days=HOLDOUT_DAYS)

    def rows(sent: pd.DataFrame) -> TrainingSet:
        return TrainingSet(dataset.response_inputs(store, sent) if len(sent) else pd.DataFrame(), sent)

    train = rows(dataset.messages(connection, sent_from=None, cut=holdout))
    test = rows(dataset.messages(connection, sent_from=holdout, cut=cut))
    return backtest.response(train, test, cut=holdout, seed=SEED, optional=attribute_columns)


def attribute_columns(inputs: pd.DataFrame) -> list[str]:
    """Inputs that come from JSON attributes, so that they may be absent elsewhere."""
    return [name for name in inputs.columns if name.startswith(("offer_", "customer_"))]


def _tested(test: Callable[[], Figures]) -> Figures | None:
    """A short history is no reason not to train; the card then says that no figure exists."""
    try:
        return test()
    except TrainingError:
        return None


def _keep(
    name: str,
    connection: DuckDBPyConnection,
    cut: date,
    facts: dict[str, Any],
    figures: Figures | None,
    write: Callable[[Path], None],
) -> Trained:
    snapshot = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
    stated = {**facts, "not_for": NOT_FOR, "as_of": cut.isoformat(), "lake_snapshot": snapshot}
    if figures:
        stated["test"] = figures.test

    def describe(folder: Path, version: str) -> None:
        (folder / "metrics.json").write_text(json.dumps(figures._asdict() if figures else None, indent=1) + "\n")
        (folder / "model_card.md").write_text(model_card.render(name, version, stated, _card_rows(figures)))

    version = model_store.keep(settings.models_folder(), name, as_of=cut, write=write, describe=describe)
    folder = settings.models_folder() / name / version
    return Trained(name, version, folder, figures)


def _card_rows(figures: Figures | None) -> dict[str, dict[str, Any]]:
    if figures is None:
        return {}
    gains: dict[str, Any] = {who: tuple(gain) for who, gain in figures.gains.items()}
    return {who: {**scores, "model's gain in log loss": gains.get(who)} for who, scores in figures.scores.items()}


# Without messages there are no responses, and the loop goes on without this model.
OPTIONAL = RESPONSE_PROPENSITY

TRAINERS: dict[str, Callable[[FeatureStore, DuckDBPyConnection, date], Trained]] = {
    REPURCHASE_TIMING: train_timing,
    RESPONSE_PROPENSITY: train_response,
}
