-- Which channels of the catalogue a customer withdrew or granted, at the as-of date.
with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

channels as (

    select distinct channel from {{ ref('actions') }}

),

current_consents as (

    select
        consents.customer_id,
        consents.channel,
        consents.status

    from {{ ref('consent_periods') }} as consents
    cross join as_of
    inner join channels on consents.channel = channels.channel

    where
        consents.purpose = 'marketing'
        and {{ consent_as_of('consents', 'as_of.as_of_date') }}

)

select * from current_consents
