-- Which channels of the catalogue a customer withdrew or granted, at the as-of date.
with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

consents as (

    select consents.*

    from {{ ref('consent_periods') }} as consents
    cross join as_of

    where
        consents.purpose = 'marketing'
        and {{ consent_as_of('consents', 'as_of.as_of_date') }}

),

-- A channel that came into the catalogue after the last build is asked for under "any".
channels as (

    select distinct
        actions.channel,
        coalesce(named.channel, 'any') as stated_channel

    from {{ ref('actions') }} as actions
    left join {{ ref('consent_periods') }} as named on actions.channel = named.channel

),

current_consents as (

    select
        consents.customer_id,
        channels.channel,
        consents.status

    from consents
    inner join channels on consents.channel = channels.stated_channel

)

select * from current_consents
