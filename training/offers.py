"""Offers to customers, and what the response model reads of them: features, affinity, action and attributes."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore
from numpy.typing import NDArray

from training.affinity import AFFINITY, with_affinity
from training.attributes import Categories, expand_attributes, parsed, postponed
from training.dataset import ATTRIBUTES, RESPONSE_PROPENSITY, in_batches, service_features
from training.encoding import Encoding
from training.training_rows import EVENT_TIMESTAMP

Floats = NDArray[np.float64]

KEYS = ("customer_id", "channel", EVENT_TIMESTAMP)

PART_ROWS = 10_000
"""Offers whose inputs are one matrix: small enough for memory close to the processor."""

OFFERS_PER_ROW = 10
"""An offer takes so much less memory than the features of its customer."""


class Recipients(NamedTuple):
    """Customers at the moments and on the channels of some offers, each once: actions on one channel share them.

    Attributes:
        features: of the response service; of KEYS only the channel.
        moments: as of when they are.
        row: for each offer: its row of `features`.
    """

    features: pd.DataFrame
    moments: pd.Series
    row: NDArray[np.integer[Any]]


def recipients(store: FeatureStore, offers: pd.DataFrame) -> Recipients:
    """Features as of each offer."""
    keys = offers[list(KEYS)]
    distinct = service_features(store, RESPONSE_PROPENSITY, keys.drop_duplicates(ignore_index=True))
    row = keys.groupby(list(KEYS), sort=False, dropna=False).ngroup().to_numpy()
    return Recipients(distinct.drop(columns=["customer_id", EVENT_TIMESTAMP]), distinct[EVENT_TIMESTAMP], row)


def scored(encoding: Encoding, asked: Recipients, offers: pd.DataFrame, score: Callable[[Floats], Floats]) -> Floats:
    """Scores of offers. Customers are encoded once, and never all offers at the same time.

    Args:
        offers: those that `asked` belongs to.
        score: of encoded inputs (n, k), shape (…, n).

    Returns:
        Shape (…, number of offers).
    """
    unknown: dict[str, Any] = {**dict.fromkeys(AFFINITY, np.nan), "action_id": None}
    features = _of_customers(asked.features, asked.moments, encoding.categories)
    customers = encoding.matrix(features.assign(**unknown))
    own = _of_offers(offers, encoding.categories)
    parts = (slice(first, first + PART_ROWS) for first in range(0, len(own), PART_ROWS))
    return np.concatenate(
        [score(encoding.with_columns(customers[asked.row[part]], own.iloc[part])) for part in parts], axis=-1
    )


def response_inputs(store: FeatureStore, offers: pd.DataFrame, categories: Categories | None = None) -> pd.DataFrame:
    """Inputs of the response model: features as of each offer, its affinity, action, channel and attributes.

    Args:
        offers: customer_id, channel, event_timestamp, action_id, attributes (a JSON object as text) and AFFINITY.
        categories: of the model to be asked; None: a model is to be trained on them.

    Returns:
        In the order of `offers`. Attributes of the offer are columns offer_…, those of the customer customer_….
    """
    asked = recipients(store, offers)
    return with_attributes(asked.features.take(asked.row).reset_index(drop=True), offers, categories)


def with_attributes(features: pd.DataFrame, offers: pd.DataFrame, categories: Categories | None = None) -> pd.DataFrame:
    """As `response_inputs`, from features in hand."""
    moments = offers[EVENT_TIMESTAMP].reset_index(drop=True)
    return pd.concat([_of_customers(features, moments, categories), _of_offers(offers, categories)], axis=1)


def _of_customers(features: pd.DataFrame, moments: pd.Series, categories: Categories | None) -> pd.DataFrame:
    attributes = expand_attributes(features["attributes"], moments, "customer", categories)
    return pd.concat([features.drop(columns=ATTRIBUTES), attributes], axis=1)


def _of_offers(offers: pd.DataFrame, categories: Categories | None) -> pd.DataFrame:
    rows = offers[[ATTRIBUTES, *AFFINITY, "action_id"]].reset_index(drop=True)
    # A planned message is judged by what is known today, but what it says is read when it is sent.
    read_at = offers["sent_at" if "sent_at" in offers.columns else EVENT_TIMESTAMP]
    attributes = expand_attributes(rows[ATTRIBUTES], read_at, "offer", categories)
    return pd.concat([attributes, rows.drop(columns=ATTRIBUTES)], axis=1)


def catalogue(lake: DuckDBPyConnection, *, as_of: date) -> pd.DataFrame:
    """Every action of the catalogue as it was last carried out.

    Its campaign is that of its newest message; its attributes are those that this message had when it was sent, as the
    model learnt them, with dates as far from the as-of date as they were from the sending, overridden by those of the
    catalogue.

    Returns:
        action_id, channel, source_system, campaign_id, attributes; by action and channel.
    """
    found = lake.execute(
        """
        with newest as (
            select
                action_id,
                channel,
                max_by(source_system, (sent_at, message_id)) as source_system,
                arg_max_null(campaign_id, (sent_at, message_id)) as campaign_id,
                max_by(attributes, (sent_at, message_id)) as attributes,
                max(sent_at) filter (where attributes is not null) as attributes_from
            from labels.message_responses
            where sent_at < $as_of and coalesce(message_superseded_at, date '9999-12-31') >= $as_of
            group by action_id, channel
        )

        select
            actions.action_id,
            actions.channel,
            newest.source_system,
            newest.campaign_id,
            newest.attributes as attributes_of_newest,
            newest.attributes_from,
            actions.attributes
        from seeds.actions as actions
        left join newest using (action_id, channel)
        order by actions.action_id, actions.channel
        """,
        {"as_of": as_of},
    ).df()
    by = (pd.Timestamp(as_of) - found.pop("attributes_from")).fillna(pd.Timedelta(0)).dt.to_pytimedelta()
    texts = zip(found.pop("attributes_of_newest"), by, found[ATTRIBUTES], found["action_id"], strict=True)
    merged = [{**postponed(newest, later), **parsed(own, action)} for newest, later, own, action in texts]
    return found.assign(attributes=[json.dumps(one) for one in merged])


def catalogue_offers(lake: DuckDBPyConnection, *, as_of: date, rows: int) -> Iterator[pd.DataFrame]:
    """Every action of the catalogue as an offer on the as-of date, to every customer observed then.

    Yields:
        Of some `rows` customers at a time, or fewer where there are many actions: customer_id, event_timestamp, the
        columns of `catalogue` and AFFINITY; by customer, action and channel.
    """
    actions = catalogue(lake, as_of=as_of)
    if actions.empty:
        return
    customers = in_batches(
        lake,
        """
        select customer_id, cast(observation_date as timestamp) as event_timestamp
        from features.customer_profile
        where observation_date = $as_of
        order by customer_id
        """,
        as_of,
        max(1, min(rows, rows * OFFERS_PER_ROW // len(actions))),
    )
    for batch in customers:
        yield with_affinity(lake, batch.merge(actions, how="cross"))


def planned_offers(lake: DuckDBPyConnection, *, as_of: date, rows: int) -> Iterator[pd.DataFrame]:
    """Messages to be sent on or after the as-of date, as offers judged with what is known at the as-of date.

    Yields:
        Some `rows` at a time: message_id, sent_at and the columns of `catalogue_offers`.
    """
    planned = in_batches(
        lake,
        """
        select
            source_system,
            message_id,
            sent_at,
            customer_id,
            channel,
            cast($as_of as timestamp) as event_timestamp,
            action_id,
            campaign_id,
            attributes
        from marts.messages
        where direction = 'outbound' and arm = 'treatment' and sent_at >= $as_of
        order by sent_at, source_system, message_id
        """,
        as_of,
        rows,
    )
    for batch in planned:
        yield with_affinity(lake, batch)
