with observations as (

    {{ new_observations() }}

),

unsubscribes as (

    select * from {{ ref('int_message_events_versioned') }}

    where event_type = 'unsubscribed'

),

grants as (

    select * from {{ ref('int_consent_statements_versioned') }}

    where status = 'granted' and purpose = 'marketing'

),

observed as (

    select
        unsubscribes.*,
        observations.observation_date

    from observations
    inner join unsubscribes
        on
            observations.customer_id = unsubscribes.customer_id
            and unsubscribes.occurred_at < observations.observation_date
            and {{ known_as_of('unsubscribes', 'observations.observation_date') }}

),

-- An unsubscribe ends with the next consent to its channel that the same record gives, as it does in consent_periods.
ended as (

    select distinct
        observed.customer_id,
        observed.observation_date,
        observed.source_system,
        observed.customer_key,
        observed.channel,
        observed.occurred_at

    from observed
    inner join grants
        on
            observed.source_system = grants.source_system
            and observed.customer_key = grants.customer_key
            and grants.channel in (observed.channel, 'any')
            and observed.occurred_at < grants.effective_at
            and grants.effective_at < observed.observation_date
            and {{ known_as_of('grants', 'observed.observation_date') }}

),

standing as (

    select observed.*

    from observed
    left join ended
        on
            observed.customer_id = ended.customer_id
            and observed.observation_date = ended.observation_date
            and observed.source_system = ended.source_system
            and observed.customer_key = ended.customer_key
            and observed.channel = ended.channel
            and observed.occurred_at = ended.occurred_at

    where ended.customer_id is null

),

features as (

    select
        observations.customer_id,

        date_trunc('second', max(standing.occurred_at)) as last_unsubscribe_at,

        observations.observation_date

    from observations
    left join standing
        on
            observations.customer_id = standing.customer_id
            and observations.observation_date = standing.observation_date

    group by observations.customer_id, observations.observation_date

)

select * from features
