-- Looks forward: purchase days on or after each observation date, with what must be known to see them. Of customers that merge later, each
-- has the future of the person: what is bought under the id that theirs had become.
with customers as (

    select
        record_id as customer_id,
        customer_id as later_customer_id,
        -- Dates, because observation dates start at midnight.
        cast(known_at as date) as known_at,
        cast(superseded_at as date) as superseded_at

    from {{ ref('int_customer_keys_versioned') }}

),

-- On their own: with purchase days in one join, an engine may join observations with these by date first.
observed as (

    select
        customers.*,
        observations.observation_date

    from {{ ref('customer_observations') }} as observations
    inner join customers on observations.customer_id = customers.customer_id

),

future_purchases as (

    select
        observed.customer_id,

        {{ days_between('observed.observation_date', 'purchase_days.purchase_date') }} as days_to_purchase,
        purchase_days.net_amount,

        observed.observation_date,
        purchase_days.purchase_date,
        greatest(purchase_days.known_at, observed.known_at) as known_date,
        least(purchase_days.superseded_at, observed.superseded_at) as superseded_date

    from observed
    cross join {{ ref('int_as_of_date') }} as as_of
    inner join {{ ref('int_purchase_days_versioned') }} as purchase_days
        on
            observed.later_customer_id = purchase_days.customer_id
            and {{ overlap('observed', 'purchase_days') }}
            and purchase_days.purchase_date >= observed.observation_date
            and purchase_days.known_at < as_of.as_of_date

)

select * from future_purchases
