select
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
inner join {{ ref('customers') }} as customers on candidates.customer_id = customers.customer_id

where customers.is_deleted
