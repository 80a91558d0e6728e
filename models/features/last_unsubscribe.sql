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
    inner join unsubscribes on {{ observable('unsubscribes', 'occurred_at') }}

),

-- An unsubscribe ends with the next consent to its channel that the same record gives, as it does in consent_periods.
standing as (

    select * from observed

    where
        not exists (
            select 1 from grants
            where
                observed.source_system = grants.source_system
                and observed.customer_key = grants.customer_key
                and grants.channel in (observed.channel, 'any')
                and observed.occurred_at < grants.effective_at
                and grants.effective_at < observed.observation_date
                and {{ known_as_of('grants', 'observed.observation_date') }}
        )

),

features as (

    select
        observations.customer_id,

        date_trunc('second', max(standing.occurred_at)) as last_unsubscribe_at,

        observations.observation_date

    from observations
    left join standing using (customer_id, observation_date)

    group by observations.customer_id, observations.observation_date

)

select * from features
