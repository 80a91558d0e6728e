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

future_purchases as (

    select
        observations.customer_id,

        {{ days_between('observations.observation_date', 'purchase_days.purchase_date') }} as days_to_purchase,
        purchase_days.net_amount,

        observations.observation_date,
        purchase_days.purchase_date,
        greatest(purchase_days.known_at, customers.known_at) as known_date,
        least(purchase_days.superseded_at, customers.superseded_at) as superseded_date

    from {{ ref('customer_observations') }} as observations
    cross join {{ ref('int_as_of_date') }} as as_of
    inner join customers on observations.customer_id = customers.customer_id
    inner join {{ ref('int_purchase_days_versioned') }} as purchase_days
        on
            customers.later_customer_id = purchase_days.customer_id
            and {{ overlap('customers', 'purchase_days') }}
            and purchase_days.purchase_date >= observations.observation_date
            and purchase_days.known_at < as_of.as_of_date

)

select * from future_purchases
