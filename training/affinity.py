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
with about as (
    select distinct moments.moment, moments.event_timestamp, products.category
    from moments
    inner join intermediate.int_campaign_products_versioned as products
        on
            cast(moments.source_system as varchar) = products.source_system
            and cast(moments.campaign_id as varchar) = products.campaign_id
            and coalesce(products.known_at, timestamp '0001-01-01') <= moments.event_timestamp
            and coalesce(products.superseded_at, timestamp '9999-12-31') > moments.event_timestamp
),

offered as (
    select distinct customer, moment from asked semi join about using (moment)
),

totals as (
    select customer, category, net_amount, category_days, known_at
    from intermediate.int_category_totals_versioned
    inner join customers using (customer_id)
    where
        customer_id between $first and $last
        and known_at < cast($newest as date)
        and coalesce(superseded_at, date '9999-12-31') >= cast($oldest as date)
),

looked_up as (
    select * from offered inner join about using (moment) semi join totals using (customer, category)

    union all by name

    select distinct offered.*, about.event_timestamp, null as category from offered inner join about using (moment)
),

found as (
    select looked_up.*, totals.net_amount, totals.category_days
    from looked_up
    asof inner join totals
        on
            looked_up.customer = totals.customer
            and looked_up.category is not distinct from totals.category
            -- What became known on the day itself may have come after the message.
            and cast(looked_up.event_timestamp as date) > totals.known_at
),

shares as (
    select
        customer,
        moment,
        coalesce(cast(sum(net_amount) filter (where category is not null) as double), 0)
        / nullif(cast(sum(net_amount) filter (where category is null) as double), 0) as affinity_amount_share,
        coalesce(cast(sum(category_days) filter (where category is not null) as double), 0)
        / nullif(cast(sum(category_days) filter (where category is null) as double), 0) as affinity_days_share
    from found
    group by customer, moment
)

select place, affinity_amount_share, affinity_days_share from asked inner join shares using (customer, moment)
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
    shares = np.full((len(offers), len(AFFINITY)), np.nan)
    asked, moments, customers = _asked(offers)
    if len(asked):
        # A batch is a range of customers, often at one moment: no more of the history is read.
        bounds = {
            "first": customers["customer_id"].min(),
            "last": customers["customer_id"].max(),
            "oldest": moments[EVENT_TIMESTAMP].min(),
            "newest": moments[EVENT_TIMESTAMP].max(),
        }
        with lake.cursor() as cursor:
            cursor.execute("use lake")
            cursor.register("asked", asked).register("moments", moments).register("customers", customers)
            found = cursor.execute(QUERY, bounds).fetchnumpy()
        shares[found["place"]] = np.column_stack([np.ma.filled(found[name], np.nan) for name in AFFINITY])
    return offers.assign(**dict(zip(AFFINITY, shares.T, strict=True)))


def _asked(offers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Offers of known campaigns to known customers as numbers (place, customer, moment), and what these stand for."""
    # What many are offered at once is read once.
    same = offers.groupby([EVENT_TIMESTAMP, *CAMPAIGN], sort=False)
    moments = same.size().index.to_frame(index=False).astype({EVENT_TIMESTAMP: "datetime64[us]"})
    customer, ids = pd.factorize(offers["customer_id"].to_numpy())
    asked = pd.DataFrame({"customer": customer, "moment": same.ngroup().to_numpy()}).reset_index(names="place")
    return (
        asked[(asked["customer"] >= 0) & (asked["moment"] >= 0)],
        moments.reset_index(names="moment"),
        pd.DataFrame({"customer_id": ids}).reset_index(names="customer"),
    )
