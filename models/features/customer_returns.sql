with observations as (

    {{ new_observations() }}

),

-- Of what was bought in the past 365 days; a credit note counts on the day that it credits.
returns as (

    select
        observations.customer_id,
        observations.observation_date,
        cast(-sum(lines.net_amount) as double) as returned_amount,
        min({{ days_between('lines.invoiced_date', 'observations.observation_date') }}) as days_since_last_return

    from observations
    inner join {{ ref('int_invoice_lines_versioned') }} as lines
        on
            {{ observable('lines', 'invoiced_date') }}
            and lines.purchase_date >= {{ add_days('observations.observation_date', -365) }}

    where lines.net_amount < 0

    group by observations.customer_id, observations.observation_date

),

features as (

    select
        observations.customer_id,

        coalesce(returns.returned_amount, 0) as returned_amount_past_365_days,
        coalesce(returns.returned_amount, 0)
        / nullif(purchases.net_amount_past_365_days + coalesce(returns.returned_amount, 0), 0) as returned_share_past_365_days,
        cast(returns.days_since_last_return as bigint) as days_since_last_return,

        observations.observation_date

    from observations
    left join {{ ref('customer_purchases') }} as purchases using (customer_id, observation_date)
    left join returns using (customer_id, observation_date)

)

select * from features
