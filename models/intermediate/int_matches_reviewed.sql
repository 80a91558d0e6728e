-- What people decided about pairs of records, from when it counts: the day of the decision, or when both records are known.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

reviewed as (

    select distinct
        keys.record_id,
        other_keys.record_id as other_record_id,

        matches.is_match,

        greatest(keys.known_at, other_keys.known_at, cast(matches.reviewed_on as timestamp)) as known_at

    from {{ ref('reviewed_matches') }} as matches
    inner join keys
        on
            matches.source_system = keys.source_system
            and matches.customer_key = keys.customer_key
    inner join keys as other_keys
        on
            matches.other_source_system = other_keys.source_system
            and matches.other_customer_key = other_keys.customer_key

)

select * from reviewed
