-- The moment and the day of the last purchase are two views of one thing.
select
    moments.customer_id,
    moments.observation_date

from {{ rows_under_test(ref('last_purchase')) }} as moments
left join {{ ref('customer_rhythm') }} as days
    on
        moments.customer_id = days.customer_id
        and moments.observation_date = days.observation_date

where
    {{ days_between('cast(moments.last_purchase_at as date)', 'moments.observation_date') }}
    is distinct from days.days_since_last_purchase
