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

-- An unsubscribe ends with the next consent to its channel that the same record gives, as it does in consent_periods.
standing as (

    select
        observations.customer_id,
        observations.observation_date,
        unsubscribes.occurred_at

    from observations
    inner join unsubscribes
        on
            observations.customer_id = unsubscribes.customer_id
            and unsubscribes.occurred_at < observations.observation_date
            and {{ known_as_of('unsubscribes', 'observations.observation_date') }}
    left join grants
        on
            unsubscribes.source_system = grants.source_system
            and unsubscribes.customer_key = grants.customer_key
            and grants.channel in (unsubscribes.channel, 'any')
            and unsubscribes.occurred_at < grants.effective_at
            and grants.effective_at < observations.observation_date
            and {{ known_as_of('grants', 'observations.observation_date') }}

    where grants.customer_key is null

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
