-- Nobody can say what a consent that we cannot read would have said, nor whether an event was an objection whose kind or time we cannot read.
with statements as (

    select
        source_system,
        customer_key,
        'unknown' as channel

    from {{ ref('base_crm__consents') }}

    where row_status = 'rejected'

    union all

    select
        messages.source_system,
        messages.customer_key,
        messages.channel

    from {{ ref('base_communications__events') }} as events
    inner join {{ ref('stg_communications__messages') }} as messages
        on
            events.source_system = messages.source_system
            and events.message_id = messages.message_id

    where
        events.row_status = 'rejected'
        and coalesce(
            events.event_type not in ('delivered', 'opened', 'clicked', 'replied', 'converted', 'redeemed', 'bounced'),
            true
        )

)

select distinct
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
inner join {{ ref('customer_keys') }} as keys on candidates.customer_id = keys.customer_id
inner join statements
    on
        keys.source_system = statements.source_system
        and keys.customer_key = statements.customer_key
        and lower(statements.channel) in (lower(candidates.channel), 'unknown', 'any')
