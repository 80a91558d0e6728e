-- Every statement about contact, with the record that made it: granted or withdrawn, and the unsubscribes and complaints that withdraw a
-- channel at once. What they amount to at any instant stands in consent_periods.
with keys as (

    select * from {{ ref('customer_keys') }}

),

statements as (

    select statements.*

    from {{ ref('int_consent_statements_versioned') }} as statements
    cross join {{ ref('int_as_of_date') }} as as_of

    where {{ known_as_of('statements', 'as_of.as_of_date') }}

),

-- Several statements of one moment count as one, and the most restrictive of them holds.
consents as (

    select
        keys.customer_id,
        statements.source_system,
        statements.customer_key,

        statements.channel,
        statements.purpose,
        max(statements.status) as status,
        string_agg(distinct statements.evidence, ', ' order by statements.evidence) as evidence,
        bool_or(statements.is_objection) as is_objection,

        statements.effective_at,
        min(statements.known_at) as known_at

    from statements
    inner join keys
        on
            statements.source_system = keys.source_system
            and statements.customer_key = keys.customer_key

    group by
        keys.customer_id,
        statements.source_system,
        statements.customer_key,
        statements.channel,
        statements.purpose,
        statements.effective_at

)

select * from consents
