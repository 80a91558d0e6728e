-- Nothing was said of the channel; a withdrawal is a rule of its own.
select
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
left join {{ ref('current_consents') }} as consents
    on
        candidates.customer_id = consents.customer_id
        and candidates.channel = consents.channel

where {{ var('require_consent') }} and consents.status is null
