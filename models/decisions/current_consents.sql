-- Which channels of the catalogue a customer withdrew or granted, at the as-of date.
with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

channels as (

    select distinct channel from {{ ref('actions') }}

),

-- A statement about any channel is one about each; of two at the same moment the more restrictive holds.
newest as (

    select
        consents.customer_id,
        channels.channel,
        consents.status,
        row_number() over (
            partition by consents.customer_id, channels.channel
            order by consents.effective_at desc, consents.status desc
        ) as newest_first

    from {{ ref('consents') }} as consents
    cross join as_of
    inner join channels on consents.channel = channels.channel or consents.channel = 'any'

    where
        consents.purpose = 'marketing'
        and consents.effective_at < as_of.as_of_date

),

current_consents as (

    select
        customer_id,
        channel,
        status

    from newest

    where newest_first = 1

)

select * from current_consents
