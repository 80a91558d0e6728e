"""Training sets: features through the Feast services, labels from models/labels.

Nothing here computes a feature. Everything is as of one cut: no label, event or message that
became known on or after it enters.
"""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore

from training.affinity import with_affinity
from training.person_periods import HORIZON_DAYS
from training.training_rows import MAXIMUM_ROWS, buyers, is_sampled, observation_dates, prospects, training_dates

REPURCHASE_TIMING = "repurchase_timing"
CUSTOMER_VALUE = "customer_value"
RESPONSE_PROPENSITY = "response_propensity"
UPLIFT = "uplift"

SERVICES = {
    REPURCHASE_TIMING: REPURCHASE_TIMING,
    CUSTOMER_VALUE: REPURCHASE_TIMING,
    RESPONSE_PROPENSITY: RESPONSE_PROPENSITY,
    UPLIFT: RESPONSE_PROPENSITY,
}
"""The feature service that each model reads."""

ATTRIBUTES = "attributes"
"""The feature that `response_inputs` takes apart."""

SENT = "treatment"


class TrainingSet(NamedTuple):
    """Rows of features and of labels, in the same order."""

    features: pd.DataFrame
    labels: pd.DataFrame


def customers_in_batches(lake: DuckDBPyConnection, *, as_of: date, rows: int) -> Iterator[pd.DataFrame]:
    """The observations of all customers on one date, as those of `buyers`, some `rows` at a time."""
    return in_batches(
        lake,
        """
        select customer_id, cast(observation_date as timestamp) as event_timestamp
        from features.customer_rhythm
        where observation_date = $as_of
        order by customer_id
        """,
        as_of,
        rows,
    )


def in_batches(lake: DuckDBPyConnection, query: str, as_of: date, rows: int) -> Iterator[pd.DataFrame]:
    """The answer to a query with $as_of, `rows` at a time; the connection stays free for other questions."""
    with lake.cursor() as cursor:
        cursor.execute("use lake")
        for batch in cursor.execute(query, {"as_of": as_of}).to_arrow_reader(rows):
            if batch.num_rows:
                yield batch.to_pandas()


def service_features(store: FeatureStore, service: str, entities: pd.DataFrame) -> pd.DataFrame:
    """Features of a service as of each row's event_timestamp; row order is kept.

    Returns:
        The columns of `entities`, then every feature of the service.
    """
    job = store.get_historical_features(entity_df=entities, features=store.get_feature_service(service))
    # Through Arrow: an integer column with nulls becomes float, which LightGBM reads as missing.
    features: pd.DataFrame = job.to_arrow().to_pandas()
    return features


def repurchase_labels(lake: DuckDBPyConnection, entities: pd.DataFrame, cut: date) -> pd.DataFrame:
    """What each customer bought from the observation date until the cut, as it was known at the cut.

    Args:
        entities: shape (n, 2): customer_id and event_timestamp, the observation date.

    Returns:
        In the order of `entities`: days_to_next_purchase (0: on the date itself; null: none seen), follow_up_days, and
        of its first 90 days purchase_days_in_window, valued_purchase_days_in_window (of known amount) and
        net_amount_in_window (their sum).
    """
    rows = entities.reset_index(drop=True).reset_index(names="row_number")
    with lake.cursor() as cursor:
        cursor.execute("use lake")
        cursor.register("label_rows", rows)
        return cursor.execute(
            f"""
            with observed as (
                select row_number, customer_id, cast(event_timestamp as date) as observation_date from label_rows
            ),

            seen as (
                select customer_id, observation_date, days_to_purchase, net_amount
                from labels.future_purchases
                where
                    observation_date in (select distinct observation_date from observed)
                    and purchase_date < $cut
                    and known_date < $cut
                    and coalesce(superseded_date, date '9999-12-31') >= $cut
            )

            select
                cast(min(days_to_purchase) as double) as days_to_next_purchase,
                date_diff('day', observation_date, $cut) as follow_up_days,
                count(days_to_purchase) filter (where days_to_purchase < {HORIZON_DAYS}) as purchase_days_in_window,
                count(net_amount) filter (where days_to_purchase < {HORIZON_DAYS}) as valued_purchase_days_in_window,
                cast(coalesce(
                    sum(net_amount) filter (where days_to_purchase < {HORIZON_DAYS}), 0
                ) as double) as net_amount_in_window
            from observed
            left join seen using (customer_id, observation_date)
            group by row_number, observation_date
            order by row_number
            """,
            {"cut": cut},
        ).df()


def repurchase_timing(store: FeatureStore, lake: DuckDBPyConnection, *, cut: date) -> TrainingSet:
    """Rows to learn repurchase timing from, with labels that end at the cut."""
    dates = training_dates(observation_dates(lake), cut)
    entities = buyers(lake, dates, all_from=cut)
    return TrainingSet(
        service_features(store, REPURCHASE_TIMING, entities),
        repurchase_labels(lake, entities, cut),
    )


def first_purchases(store: FeatureStore, lake: DuckDBPyConnection, *, cut: date) -> TrainingSet:
    """One row per customer who had not bought when observed first, with labels that end at the cut."""
    dates = [one for one in observation_dates(lake) if one < cut]
    entities = prospects(lake, dates, all_from=cut)
    return TrainingSet(
        service_features(store, REPURCHASE_TIMING, entities),
        repurchase_labels(lake, entities, cut),
    )


def margin_share(lake: DuckDBPyConnection, *, cut: date) -> float | None:
    """Margin over net amount of all lines before the cut whose product has a cost; None: no product has one."""
    share: float | None = lake.execute(
        """
        select cast(sum(margin_amount) as double) / nullif(cast(sum(net_amount) as double), 0)
        from marts.invoice_lines
        where margin_amount is not null and invoiced_date < $cut and known_at < $cut
        """,
        {"cut": cut},
    ).fetchall()[0][0]
    return share


def messages(
    lake: DuckDBPyConnection,
    *,
    sent_from: date | None,
    cut: date,
    arm: str | None = SENT,
    closed_after: date | None = None,
    limit: int = MAXIMUM_ROWS,
) -> pd.DataFrame:
    """Messages with outcomes closed before the cut and known at it.

    Args:
        sent_from: leave out messages sent before; None: take all.
        arm: treatment: sent; control: withheld by design; None: both, of actions and channels that have both.
        closed_after: leave out messages whose outcomes were closed on that date; None: take all.
        limit: of more messages about so many, always the same ones.

    Returns:
        source_system, campaign_id, customer_id, channel, event_timestamp (when it was sent), action_id, attributes,
        arm, responded, of_messages (how many there are) and AFFINITY; oldest first.
    """
    sent = lake.execute(
        f"""
        with closed as (
            select
                source_system,
                message_id,
                campaign_id,
                customer_id,
                channel,
                sent_at as event_timestamp,
                action_id,
                attributes,
                arm,
                coalesce(bool_or(
                    responded_at < $cut
                    and response_known_at < $cut
                    and coalesce(response_superseded_at, date '9999-12-31') >= $cut
                ), false) as responded
            from labels.message_responses
            where
                arm = coalesce($arm, arm)
                and sent_at >= coalesce($sent_from, date '0001-01-01')
                and sent_at < $cut
                and outcome_closes_at <= $cut
                and outcome_closes_at > coalesce($closed_after, date '0001-01-01')
                and message_known_at < $cut
                and coalesce(message_superseded_at, date '9999-12-31') >= $cut
            group by all
        ),

        of_arms as (
            select *, count(*) over () as of_messages
            from closed
            where $arm is not null or (action_id, channel) in (
                select action_id, channel from closed group by action_id, channel having count(distinct arm) = 2
            )
        )

        select * exclude (message_id)
        from of_arms
        where {is_sampled("concat_ws('/', source_system, message_id)", of="of_messages")}
        order by event_timestamp, source_system, message_id
        """,
        {"sent_from": sent_from, "cut": cut, "arm": arm, "closed_after": closed_after, "limit": limit},
    ).df()
    return with_affinity(lake, sent)
