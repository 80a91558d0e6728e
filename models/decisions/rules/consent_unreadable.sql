-- Nobody can say what a consent that we cannot read would have said.
select distinct
    candidates.customer_id,
    candidates.action_id,
    candidates.channel

from {{ ref('candidates') }} as candidates
inner join {{ ref('customer_keys') }} as keys on candidates.customer_id = keys.customer_id
inner join {{ ref('base_crm__consents') }} as statements
    on
        keys.source_system = statements.source_system
        and keys.customer_key = statements.customer_key

where statements.row_status = 'rejected'
