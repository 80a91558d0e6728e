select
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
inner join {{ ref('current_consents') }} as consents
    on
        candidates.customer_id = consents.customer_id
        and candidates.channel = consents.channel

where consents.status = 'withdrawn'
