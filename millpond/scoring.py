"""Scoring everybody with the models in use, in batches, so that memory does not grow with the number of customers."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore
from pandas.api.types import is_numeric_dtype

from millpond import declared_features, lake, recalibration, settings
from millpond.errors import ModelNotTrained
from training import customer_value, dataset, model_store, offers, repurchase_timing, response_propensity, uplift
from training.customer_value import CustomerValueModel
from training.dataset import CUSTOMER_VALUE, REPURCHASE_TIMING, RESPONSE_PROPENSITY, UPLIFT
from training.repurchase_timing import RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel
from training.uplift import UpliftModel

BATCH_ROWS = 100_000
"""Customers, or offers to customers, whose features are in memory at once: about half a gigabyte."""

# The value of a year stands beside the horizons asked for.
VALUE_HORIZON = 365

# Columns that an older lake, or another choice of horizons, did not have.
ADDED_COLUMNS = ("p_repurchase_", "expected_", "extrapolated_", "response_propensity_", "affinity_", "uplift_")

Predictions = Iterator[tuple[str, pd.DataFrame]]


@dataclass(frozen=True)
class Timing:
    """The timing model in use, and the value model, where one was trained; each with its version."""

    model: RepurchaseTimingModel
    version: str
    value: CustomerValueModel | None
    value_version: str


@dataclass(frozen=True)
class Response:
    """The response model in use with its version, and the uplift model, where one was trained."""

    model: ResponsePropensityModel
    version: str
    uplift: UpliftModel | None


def score(
    store: FeatureStore,
    *,
    as_of: date,
    horizons: Sequence[int],
    batch_rows: int = BATCH_ROWS,
    on_notice: Callable[[str], None] = lambda _: None,
) -> dict[str, int]:
    """Write the predictions as of a date into the lake, all or none; those of the same date are replaced.

    Args:
        on_notice: is told that the level of responses has drifted; the response model is then recalibrated first. And
            which horizons are extrapolated.

    Returns:
        Rows written per table of predictions.

    Raises:
        ModelNotTrained: there is no timing model, or a model knows what came after the date.
        FeaturesChanged: a model learnt from features that are no longer what they were.
    """
    timing, response = _timing_in_use(as_of), _response_in_use(store, as_of, on_notice)
    if beyond := [str(horizon) for horizon in horizons if horizon > timing.model.learnt_days]:
        on_notice(
            f"{REPURCHASE_TIMING} {timing.version} learnt {timing.model.learnt_days} days: what it says of "
            f"{', '.join(beyond)} is extrapolated."
        )
    tables = ["repurchase_timing", *(["customer_value"] if timing.value else [])]
    tables += ["response_propensity", "message_response"] if response else []
    rows: Counter[str] = Counter(dict.fromkeys(tables, 0))
    with lake.connect() as published, lake.connect(read_only=False) as written:
        written.begin()
        for table in tables:
            _forget(written, table, as_of)
        for table, scored in _timing_scores(store, published, timing, as_of, horizons, batch_rows):
            rows[table] += _append(written, table, scored)
        if response:
            for table, scored in _response_scores(store, published, response, as_of, batch_rows):
                rows[table] += _append(written, table, scored)
        written.commit()
    return dict(rows)


def folder_in_use(name: str, as_of: date) -> Path | None:
    """Folder of the model in use, whose features are still what it learnt from; None: never trained."""
    folder = model_store.current(settings.models_folder(), name)
    if folder is not None and model_store.usable(settings.models_folder(), name) is None:
        raise ModelNotTrained(
            f"{folder} is gone, and {name} is to be used from there: run `millpond models promote {name} VERSION` for "
            f"another version, or `millpond train {name}`"
        )
    if folder is not None and model_store.as_of(folder.name) > as_of:
        raise ModelNotTrained(
            f"{name} {folder.name} learnt from what came after {as_of}: run `millpond train --as-of {as_of}` first"
        )
    if folder is not None:
        declared_features.require_unchanged(name, folder)
    return folder


def _timing_in_use(as_of: date) -> Timing:
    folder = folder_in_use(REPURCHASE_TIMING, as_of)
    if folder is None:
        raise ModelNotTrained("no repurchase_timing model: run `millpond train` first")
    value = folder_in_use(CUSTOMER_VALUE, as_of)
    return Timing(
        repurchase_timing.load(folder),
        folder.name,
        customer_value.load(value) if value else None,
        value.name if value else "",
    )


def _response_in_use(store: FeatureStore, as_of: date, on_notice: Callable[[str], None]) -> Response | None:
    folder, effect = folder_in_use(RESPONSE_PROPENSITY, as_of), folder_in_use(UPLIFT, as_of)
    if folder is None:
        return None
    with lake.connect() as published:
        folder, level = recalibration.bring_to_level(store, published, folder, as_of=as_of)
    if level and level.has_drifted:
        on_notice(f"{RESPONSE_PROPENSITY} {folder.name}: {level}.")
    return Response(response_propensity.load(folder), folder.name, uplift.load(effect) if effect else None)


def _timing_scores(
    store: FeatureStore,
    published: DuckDBPyConnection,
    timing: Timing,
    as_of: date,
    horizons: Sequence[int],
    batch_rows: int,
) -> Predictions:
    """When and how often each customer buys, and what those who bought are worth where a value model was trained."""
    for customers in dataset.customers_in_batches(published, as_of=as_of, rows=batch_rows):
        inputs = dataset.service_features(store, REPURCHASE_TIMING, customers)
        has_bought = inputs["frequency"].notna()
        buyers, prospects = inputs[has_bought], inputs[~has_bought]
        for customers_alike, scores in (
            (buyers, timing.model.predict(buyers, horizons)),
            (prospects, timing.model.predict_first(prospects, horizons)),
        ):
            keys = _keys(customers_alike.loc[scores.index], as_of, timing.version, timing.model)
            yield "repurchase_timing", pd.concat([keys, scores], axis=1)
        if timing.value:
            worth = timing.value.predict(buyers, timing.model, sorted({*horizons, VALUE_HORIZON}))
            keys = _keys(buyers, as_of, timing.value_version, timing.model)
            yield "customer_value", pd.concat([keys, worth], axis=1)


def _keys(customers: pd.DataFrame, as_of: date, version: str, timing: RepurchaseTimingModel) -> pd.DataFrame:
    return customers[["customer_id"]].assign(
        observation_date=as_of, model_version=version, extrapolated_beyond_days=timing.learnt_days
    )


def _response_scores(
    store: FeatureStore, published: DuckDBPyConnection, response: Response, as_of: date, batch_rows: int
) -> Predictions:
    """Whether each customer accepts each action of the catalogue, and each planned message."""
    for offered in offers.catalogue_offers(published, as_of=as_of, rows=batch_rows):
        yield "response_propensity", _offers_scored(store, response, offered).assign(observation_date=as_of)
    for planned in offers.planned_offers(published, as_of=as_of, rows=batch_rows):
        # A message is one attempt; the interval is for choosing what to try.
        scored = _offers_scored(store, response, planned)
        yield "message_response", scored.drop(columns=["response_propensity_low", "response_propensity_high"])


def _offers_scored(store: FeatureStore, response: Response, offered: pd.DataFrame) -> pd.DataFrame:
    """The offers with model_version, response_propensity, its interval where the action was never tried, and where
    there is an uplift model control_propensity, uplift and its verdict.
    """
    asked, model, effect = offers.recipients(store, offered), response.model, response.uplift
    propensity, low, high = offers.scored(model.encoding, asked, offered, model.scores)
    scored = offered.assign(
        model_version=response.version,
        response_propensity=propensity,
        response_propensity_low=low,
        response_propensity_high=high,
    )
    if effect is None:
        return scored
    # Both models answer the same question, so the chance without contact follows, and stays a chance.
    gained = offers.scored(effect.encoding, asked, offered, effect.effect)
    without = (propensity - gained).clip(0.0, 1.0)
    return scored.assign(control_propensity=without, uplift=propensity - without, uplift_verdict=effect.verdict)


def _forget(written: DuckDBPyConnection, table: str, as_of: date) -> None:
    """Predictions of this date make way for the new ones."""
    when = "sent_at" if table == "message_response" else "observation_date"
    written.execute(f"delete from predictions.{table} where {when} >= $as_of", {"as_of": as_of})


def _append(written: DuckDBPyConnection, table: str, rows: pd.DataFrame) -> int:
    """Insert the rows; a column never seen before is added to the table."""
    known = [row[0] for row in written.execute(f"describe predictions.{table}").fetchall()]
    for column in rows.columns:
        if column not in known and column.startswith(ADDED_COLUMNS):
            kind = "double" if is_numeric_dtype(rows[column]) else "varchar"
            written.execute(f"alter table predictions.{table} add column {column} {kind}")
            known.append(column)
    columns = ", ".join(column for column in known if column in rows.columns)
    written.register("scored", rows)
    written.execute(f"insert into predictions.{table} ({columns}) select {columns} from scored")
    return len(rows)
