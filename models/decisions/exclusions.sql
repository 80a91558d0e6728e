-- Why a candidate may not be chosen: one row per candidate and reason. Facts that are missing or stale exclude.
with candidates as (

    select * from {{ ref('candidates') }}

    where action_id != 'do_nothing'

),

consents as (

    select * from {{ ref('current_consents') }}

),

consent as (

    select
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        case
            when consents.status = 'withdrawn' then 'consent_withdrawn'
            else 'consent_not_granted'
        end as reason

    from candidates
    left join consents
        on
            candidates.customer_id = consents.customer_id
            and candidates.channel = consents.channel

    where
        consents.status = 'withdrawn'
        or ({{ var('require_consent') }} and consents.status is distinct from 'granted')

),

-- Nobody can say what a consent that we cannot read would have said.
unreadable_consent as (

    select distinct
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        'consent_unreadable' as reason

    from candidates
    inner join {{ ref('customer_keys') }} as keys on candidates.customer_id = keys.customer_id
    inner join {{ ref('base_crm__consents') }} as statements
        on
            keys.source_system = statements.source_system
            and keys.customer_key = statements.customer_key

    where statements.row_status = 'rejected'

),

deleted as (

    select
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        'customer_deleted' as reason

    from candidates
    inner join {{ ref('customers') }} as customers on candidates.customer_id = customers.customer_id

    where customers.is_deleted

),

-- Control messages were withheld, and planned ones are candidates themselves: neither is a contact yet.
messages as (

    select * from {{ ref('messages') }}

    where direction = 'outbound' and arm = 'treatment' and not is_planned

),

reached_caps as (

    select
        candidates.customer_id,
        candidates.action_id,
        candidates.channel

    from candidates
    inner join {{ ref('contact_policy') }} as policy on policy.channel in (candidates.channel, 'any')
    inner join messages
        on
            candidates.customer_id = messages.customer_id
            and policy.channel in (messages.channel, 'any')
            and messages.sent_at >= {{ add_days('candidates.as_of_date', '-policy.window_days') }}

    group by
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        policy.channel,
        policy.window_days,
        policy.max_messages

    having count(*) >= policy.max_messages

),

contact_cap as (

    select distinct
        customer_id,
        action_id,
        channel,
        'contact_cap_reached' as reason

    from reached_caps

),

already_responded as (

    select distinct
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        'already_responded' as reason

    from candidates
    inner join messages
        on
            candidates.customer_id = messages.customer_id
            and candidates.action_id = messages.action_id
            and candidates.channel = messages.channel
            and messages.outcome_closes_at > candidates.as_of_date
    inner join {{ ref('message_events') }} as events
        on
            messages.source_system = events.source_system
            and messages.message_id = events.message_id

    where events.is_response

),

newest_features as (

    select
        customer_id,
        max(observation_date) as observation_date

    from {{ ref('customer_rhythm') }}

    group by customer_id

),

stale_features as (

    select
        candidates.customer_id,
        candidates.action_id,
        candidates.channel,
        'stale_features' as reason

    from candidates
    left join newest_features on candidates.customer_id = newest_features.customer_id

    where
        newest_features.observation_date is null
        or {{ add_days('newest_features.observation_date', var('max_feature_age_days')) }} < candidates.as_of_date

),

no_prediction as (

    select
        customer_id,
        action_id,
        channel,
        'no_prediction' as reason

    from candidates

    where response_propensity is null

),

exclusions as (

    select * from consent

    union all

    select * from unreadable_consent

    union all

    select * from deleted

    union all

    select * from contact_cap

    union all

    select * from already_responded

    union all

    select * from stale_features

    union all

    select * from no_prediction

)

select * from exclusions
