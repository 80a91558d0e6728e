select
    customer_id,
    action_id,
    channel

from {{ ref('candidates') }}

where response_propensity is null
