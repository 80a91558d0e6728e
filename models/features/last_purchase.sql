with observations as (

    {{ new_observations() }}

),

last_days as (

    select
        observations.customer_id,
        observations.observation_date,
        max(purchase_days.purchase_date) as purchase_date

    from observations
    left join {{ ref('int_purchase_days_versioned') }} as purchase_days on {{ observable('purchase_days', 'purchase_date') }}

    group by observations.customer_id, observations.observation_date

),

invoices as (

    select
        last_days.customer_id,
        last_days.observation_date,
        lines.invoiced_at,

        sum(lines.net_amount) as net_amount,
        count(*) filter (where lines.net_amount is null and lines.quantity > 0) as lines_bought_for_unknown_amount

    from last_days
    inner join {{ ref('int_invoice_lines_versioned') }} as lines
        on
            last_days.customer_id = lines.customer_id
            and last_days.purchase_date = lines.purchase_date
            and lines.invoice_type = 'invoice'
            and {{ known_as_of('lines', 'last_days.observation_date') }}

    group by last_days.customer_id, last_days.observation_date, lines.source_system, lines.invoice_id, lines.invoiced_at

),

-- An invoice that nets to zero or less is not what made its day a purchase day.
features as (

    select
        last_days.customer_id,

        coalesce(date_trunc('second', max(invoices.invoiced_at)), cast(last_days.purchase_date as timestamp)) as last_purchase_at,

        last_days.observation_date

    from last_days
    left join invoices
        on
            last_days.customer_id = invoices.customer_id
            and last_days.observation_date = invoices.observation_date
            and (invoices.net_amount > 0 or invoices.lines_bought_for_unknown_amount > 0)

    group by last_days.customer_id, last_days.purchase_date, last_days.observation_date

)

select * from features
