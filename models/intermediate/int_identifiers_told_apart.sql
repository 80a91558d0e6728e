-- From when an identifier joins nobody because a person has decided that two records which show it are two customers.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

identifiers as (

    select * from {{ ref('int_customer_identifiers') }}

),

told_apart as (

    select
        shown.identifier_kind,
        shown.identifier,

        min(greatest(shown.known_at, other_shown.known_at, cast(matches.reviewed_on as timestamp))) as told_apart_at

    from {{ ref('reviewed_matches') }} as matches
    inner join keys
        on
            matches.source_system = keys.source_system
            and matches.customer_key = keys.customer_key
    inner join keys as other_keys
        on
            matches.other_source_system = other_keys.source_system
            and matches.other_customer_key = other_keys.customer_key
    inner join identifiers as shown on keys.record_id = shown.record_id
    inner join identifiers as other_shown
        on
            other_keys.record_id = other_shown.record_id
            and shown.identifier_kind = other_shown.identifier_kind
            and shown.identifier = other_shown.identifier

    where not matches.is_match

    group by shown.identifier_kind, shown.identifier

)

select * from told_apart
