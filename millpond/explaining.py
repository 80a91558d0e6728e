"""Why the models in use predict what they predict for one customer."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond import lake, scoring
from millpond.errors import ModelNotTrained, UnknownCustomer
from training import contributions, dataset, feature_list, offers, reasons, repurchase_timing, response_propensity
from training.affinity import with_affinity
from training.dataset import REPURCHASE_TIMING, RESPONSE_PROPENSITY


@dataclass(frozen=True)
class Explained:
    """A prediction and what moves it most.

    Attributes:
        prediction: in words, such as "buys within 30 days".
        reasons: contributions to the log odds (above 0: makes it likelier) and what they are about; empty: it has none.
    """

    prediction: str
    probability: float
    reasons: list[tuple[float, str]]


def explain(store: FeatureStore, customer: str, *, as_of: date, count: int) -> list[Explained]:
    """Of a customer: the next purchase, then the offers of the catalogue, likeliest first.

    Args:
        customer: a customer_id, or source_system/customer_key.
        count: how many reasons for each.

    Raises:
        UnknownCustomer: nobody of that name was observed on the date.
        ModelNotTrained: no model was trained, or one knows what came after the date.
        FeaturesChanged: a model learnt from features that are no longer what they were.
    """
    timing = scoring.folder_in_use(REPURCHASE_TIMING, as_of)
    if timing is None:
        raise ModelNotTrained("no repurchase_timing model: run `millpond train` first")
    response = scoring.folder_in_use(RESPONSE_PROPENSITY, as_of)
    with lake.connect() as connection:
        who = _observed(connection, customer, as_of)
        offered = with_affinity(connection, who.merge(offers.catalogue(connection, as_of=as_of), how="cross"))
    found = [*_timing(timing, dataset.service_features(store, REPURCHASE_TIMING, who), count)]
    if response and len(offered):
        found += sorted(_offers(store, response, offered, count), key=lambda one: -one.probability)
    return found


def _observed(connection: DuckDBPyConnection, customer: str, as_of: date) -> pd.DataFrame:
    who = connection.execute(
        """
        select customer_id, cast(observation_date as timestamp) as event_timestamp
        from features.customer_profile
        where
            observation_date = $as_of
            and customer_id in (
                select customer_id from marts.customer_keys
                where $customer in (customer_id, source_system || '/' || customer_key)
            )
        """,
        {"as_of": as_of, "customer": customer},
    ).df()
    if who.empty:
        raise UnknownCustomer(
            f"nobody called {customer} was a customer as of {as_of}: expected a customer_id, or "
            "source_system/customer_key as in `millpond sql 'from marts.customer_keys'`"
        )
    return who


def _timing(folder: Path, features: pd.DataFrame, count: int) -> Iterator[Explained]:
    model, horizon = repurchase_timing.load(folder), contributions.TIMING_HORIZON
    column = f"p_repurchase_{horizon}d"
    if features["frequency"].isna().all():
        # Nothing else is asked of those who never bought, so there are no parts.
        words = f"buys first within {horizon} days, known for {features['known_days'].iloc[0]:,.0f} without a purchase"
        yield from (Explained(words, score, []) for score in model.predict_first(features, [horizon]).get(column, ()))
        return
    # The BG/NBD alone has no parts that add up.
    declared = feature_list.read(folder)
    told = reasons.of_timing(model, features, count, declared=declared) if model.trees else None
    score = float(model.predict(features, [horizon])[column].iloc[0])
    yield Explained(f"buys within {horizon} days", score, _pairs(told) if told is not None else [])


def _offers(store: FeatureStore, folder: Path, offered: pd.DataFrame, count: int) -> Iterator[Explained]:
    model = response_propensity.load(folder)
    inputs = offers.response_inputs(store, offered, model.encoding.categories)
    told = reasons.of_response(model, inputs, count, declared=feature_list.read(folder))
    for row, score in enumerate(model.predict(inputs)):
        action, channel = offered.loc[row, "action_id"], offered.loc[row, "channel"]
        yield Explained(f"accepts {action} by {channel}", float(score), _pairs(told[told["row"] == row]))


def _pairs(told: pd.DataFrame) -> list[tuple[float, str]]:
    return list(zip(told["contribution"], told["text"], strict=True))
