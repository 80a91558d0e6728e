-- Pairs of records that an identifier joins, from and until when. All records that show it hang on the one that showed it first, so
-- there are never more pairs than records, and once it is dropped it joins nobody at all.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

holders as (

    select
        identifiers.*,
        guards.dropped_at,
        first_value(identifiers.record_id) over (
            partition by identifiers.identifier_kind, identifiers.identifier
            order by identifiers.known_at, keys.source_system, keys.customer_key
        ) as first_record_id

    from {{ ref('int_customer_identifiers') }} as identifiers
    inner join keys on identifiers.record_id = keys.record_id
    inner join {{ ref('int_customer_identifiers_guarded') }} as guards
        on
            identifiers.identifier_kind = guards.identifier_kind
            and identifiers.identifier = guards.identifier

),

confirmed as (

    select
        record_id,
        other_record_id,
        'confirmed' as identifier_kind,
        known_at,
        cast(null as timestamp) as dropped_at

    from {{ ref('int_matches_reviewed') }}

    where is_match

),

edges as (

    select
        record_id,
        first_record_id as other_record_id,
        identifier_kind,
        known_at,
        dropped_at

    from holders

    where
        record_id != first_record_id
        and known_at < coalesce(dropped_at, timestamp '9999-12-31')

    union

    select * from confirmed

)

select * from edges
