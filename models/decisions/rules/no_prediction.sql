select
    customer_id,
    action_id,
    channel

from {{ ref('candidates') }}

where expected_responses is null
