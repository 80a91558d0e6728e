-- What must hold for every row of the timeline, in one look at it: six tests of one column each would compute the view six times.
with interactions as (

    select * from {{ rows_under_test(ref('interactions')) }}

),

broken as (

    select
        interactions.*,
        customers.customer_id is not null as is_of_a_customer

    from interactions
    left join {{ ref('customers') }} as customers on interactions.customer_id = customers.customer_id

    where
        customers.customer_id is null
        or coalesce(interactions.kind not in (
            'invoice', 'credit_note', 'message', 'opened', 'clicked', 'replied', 'converted', 'redeemed', 'unsubscribed', 'complained',
            'visit', 'case', 'case_closed', 'asset_acquired', 'asset_released', 'consent_granted', 'consent_withdrawn'
        ), true)
        or coalesce(interactions.direction not in ('inbound', 'outbound'), true)
        or interactions.known_at < interactions.happened_at
        or (interactions.currency is null) = (interactions.kind in ('invoice', 'credit_note'))

)

select * from broken
