"""What an offer is about times what the customer buys."""

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from training.training_rows import EVENT_TIMESTAMP

CAMPAIGN = ("source_system", "campaign_id")
"""What an offer is about, as the campaign it belongs to says."""

AFFINITY = ("affinity_amount_share", "affinity_days_share")

# An offer has few categories that the customer ever bought: only those are looked up.
QUERY = """
with offers as (
    select
        offer_row,
        cast(customer_id as varchar) as customer_id,
        cast(event_timestamp as timestamp) as event_timestamp,
        cast(source_system as varchar) as source_system,
        cast(campaign_id as varchar) as campaign_id
    from asked
),

totals as (
    select * from intermediate.int_category_totals_versioned where customer_id between $first and $last
),

-- What was offered to many at once is read once.
about as (
    select distinct event_timestamp, source_system, campaign_id, category
    from (select distinct event_timestamp, source_system, campaign_id from offers) as moments
    inner join intermediate.int_campaign_products_versioned as products using (source_system, campaign_id)
    where
        coalesce(products.known_at, timestamp '0001-01-01') <= event_timestamp
        and coalesce(products.superseded_at, timestamp '9999-12-31') > event_timestamp
),

offered as (
    select distinct customer_id, event_timestamp, source_system, campaign_id
    from offers
    semi join about using (event_timestamp, source_system, campaign_id)
),

looked_up as (
    select offered.*, category
    from offered
    inner join about using (event_timestamp, source_system, campaign_id)
    semi join totals using (customer_id, category)

    union all

    select offered.*, null as category from offered
),

found as (
    select looked_up.*, totals.net_amount, totals.category_days
    from looked_up
    asof inner join totals
        on
            looked_up.customer_id = totals.customer_id
            and looked_up.category is not distinct from totals.category
            -- What became known on the day itself may have come after the message.
            and cast(looked_up.event_timestamp as date) > totals.known_at
),

shares as (
    select
        customer_id,
        event_timestamp,
        source_system,
        campaign_id,
        coalesce(cast(sum(net_amount) filter (where category is not null) as double), 0)
        / nullif(cast(sum(net_amount) filter (where category is null) as double), 0) as affinity_amount_share,
        coalesce(cast(sum(category_days) filter (where category is not null) as double), 0)
        / nullif(cast(sum(category_days) filter (where category is null) as double), 0) as affinity_days_share
    from found
    group by customer_id, event_timestamp, source_system, campaign_id
)

select affinity_amount_share, affinity_days_share
from offers
left join shares using (customer_id, event_timestamp, source_system, campaign_id)
order by offer_row
"""


def with_affinity(lake: DuckDBPyConnection, offers: pd.DataFrame) -> pd.DataFrame:
    """Add AFFINITY: shares of the customer's net amount, and of her days with a category, in the offer's categories.

    Of what was bought, and known, before the day of each offer; null: it is not known what the offer is about, or the
    customer had bought nothing that has a category.

    Args:
        offers: customer_id, event_timestamp and CAMPAIGN (campaign_id null: none).

    Returns:
        `offers` with two more columns, in its order.
    """
    asked = offers[["customer_id", EVENT_TIMESTAMP, *CAMPAIGN]].reset_index(drop=True).reset_index(names="offer_row")
    # A batch is a range of customers, of which alone files are read.
    customers = asked["customer_id"].dropna().astype(str)
    if customers.empty:
        return offers.assign(**dict.fromkeys(AFFINITY, np.nan))
    with lake.cursor() as cursor:
        cursor.execute("use lake")
        cursor.register("asked", asked)
        shares = cursor.execute(QUERY, {"first": customers.min(), "last": customers.max()}).df()
    return offers.assign(**{name: shares[name].to_numpy() for name in AFFINITY})
