-- Old data sets work without a date: they are observed on the day after their newest event.
with newest_events as (

    select max(event_at) as event_at from {{ ref('stg_invoices__invoices') }}

    union all

    select max(event_at) as event_at from {{ ref('stg_communications__events') }}

    union all

    select max(event_at) as event_at from {{ ref('stg_communications__visits') }}

    union all

    select max(event_at) as event_at from {{ ref('stg_crm__cases') }}

    union all

    select max(event_at) as event_at from {{ ref('stg_crm__consents') }}

),

as_of as (

    select
        coalesce(
            cast({{ "'" ~ var('as_of_date') ~ "'" if var('as_of_date') else 'null' }} as date),
            {{ add_days('cast(max(event_at) as date)', 1) }},
            cast({{ clock() }} as date)
        ) as as_of_date

    from newest_events

)

select * from as_of
