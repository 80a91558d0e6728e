-- Which channels a customer withdrew or granted, as of the as-of date. An unsubscribe or a complaint withdraws its channel at once.
with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

stated as (

    select
        keys.customer_id,
        consents.channel,
        consents.status,
        consents.effective_at

    from {{ ref('stg_crm__consents') }} as consents
    inner join {{ ref('customer_keys') }} as keys
        on
            consents.source_system = keys.source_system
            and consents.customer_key = keys.customer_key
    cross join as_of

    where
        consents.purpose = 'marketing'
        and consents.effective_at < as_of.as_of_date
        and {{ known_as_of('consents', 'as_of.as_of_date') }}

    union all

    select
        customer_id,
        channel,
        'withdrawn' as status,
        occurred_at as effective_at

    from {{ ref('message_events') }}

    where event_type in ('unsubscribed', 'complained')

),

channels as (

    select distinct channel from {{ ref('actions') }}

),

-- A statement about any channel is one about each; of two at the same moment the more restrictive holds.
newest as (

    select
        stated.customer_id,
        channels.channel,
        stated.status,
        row_number() over (
            partition by stated.customer_id, channels.channel
            order by stated.effective_at desc, stated.status desc
        ) as newest_first

    from stated
    inner join channels on stated.channel = channels.channel or stated.channel = 'any'

),

consents as (

    select
        customer_id,
        channel,
        status

    from newest

    where newest_first = 1

)

select * from consents
