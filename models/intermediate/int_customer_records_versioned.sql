-- Every version of every CRM record under every version of its customer's identity; undated records included.
with keys as (

    select * from {{ ref('int_customer_keys_versioned') }}

),

records as (

    select
        keys.customer_id,
        keys.record_id,
        records.source_system,
        records.customer_key,
        -- A system that the seed does not name comes last.
        coalesce(priorities.priority, 2147483647) as priority,
        records.* exclude (source_system, customer_key, event_at, known_at, superseded_at, _built_at),

        -- Null: nobody can say when it was written.
        case when records.known_at is not null then greatest(records.known_at, keys.known_at) end as known_at,
        least(records.superseded_at, keys.superseded_at) as superseded_at

    from {{ ref('stg_crm__customers') }} as records
    inner join keys on {{ owns('keys', 'records') }}
    left join {{ ref('source_priority') }} as priorities on records.source_system = priorities.source_system

)

select * from records
