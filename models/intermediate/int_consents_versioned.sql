-- Every statement under every version of its customer's identity, for each channel that it is about.
with statements as (

    select * from {{ ref('int_consent_statements_versioned') }}

),

keys as (

    select * from {{ ref('int_customer_keys_versioned') }}

),

channels as (

    select channel from statements

    union

    select channel from {{ ref('actions') }}

    union

    -- For channels that nobody has named yet.
    select 'any' as channel

),

-- A statement about any channel is one about each. Case is no difference: systems write Email, and decisions ask for email.
spread as (

    select
        statements.* exclude (channel),
        channels.channel

    from statements
    inner join channels on lower(statements.channel) = lower(channels.channel)

    where statements.channel != 'any'

    union all

    select
        statements.* exclude (channel),
        channels.channel

    from statements
    cross join channels

    where statements.channel = 'any'

),

-- An unsubscribe may arrive both as an event and as a statement: it was said once.
belonging as (

    select distinct
        keys.customer_id,
        keys.record_id,
        spread.channel,
        spread.purpose,
        spread.status,
        spread.effective_at,
        greatest(spread.known_at, keys.known_at) as known_at,
        least(spread.superseded_at, keys.superseded_at) as superseded_at

    from spread
    inner join keys on {{ owns('keys', 'spread') }}

)

select * from belonging
