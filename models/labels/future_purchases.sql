-- Looks forward: purchase days on or after each observation date, with what must be known to see them.
with future_purchases as (

    select
        observations.customer_id,

        {{ days_between('observations.observation_date', 'purchase_days.purchase_date') }} as days_to_purchase,

        observations.observation_date,
        purchase_days.purchase_date,
        purchase_days.known_at as known_date,
        purchase_days.superseded_at as superseded_date

    from {{ ref('customer_observations') }} as observations
    inner join {{ ref('int_purchase_days_versioned') }} as purchase_days
        on
            observations.customer_id = purchase_days.customer_id
            and purchase_days.purchase_date >= observations.observation_date

)

select * from future_purchases
