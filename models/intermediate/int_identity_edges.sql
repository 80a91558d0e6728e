-- Pairs of records that an identifier joins, from and until when. All records that show it hang on the one that showed it first, so
-- there are never more pairs than records. From the moment at which more than max_shared_key records show it, it joins nobody.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

holders as (

    select
        identifiers.*,
        row_number() over oldest_first as place,
        first_value(identifiers.record_id) over oldest_first as first_record_id

    from {{ ref('int_customer_identifiers') }} as identifiers
    inner join keys on identifiers.record_id = keys.record_id

    window oldest_first as (
        partition by identifiers.identifier_kind, identifiers.identifier
        order by identifiers.known_at, keys.source_system, keys.customer_key
    )

),

guarded as (

    select
        *,
        min(case when place > {{ var('max_shared_key') }} then known_at end) over (
            partition by identifier_kind, identifier
        ) as dropped_at

    from holders

),

confirmed as (

    select
        keys.record_id,
        other_keys.record_id as other_record_id,
        'confirmed' as identifier_kind,
        greatest(keys.known_at, other_keys.known_at, cast(matches.confirmed_on as timestamp)) as known_at,
        cast(null as timestamp) as dropped_at

    from {{ ref('confirmed_matches') }} as matches
    inner join keys
        on
            matches.source_system = keys.source_system
            and matches.customer_key = keys.customer_key
    inner join keys as other_keys
        on
            matches.other_source_system = other_keys.source_system
            and matches.other_customer_key = other_keys.customer_key

),

edges as (

    select
        record_id,
        first_record_id as other_record_id,
        identifier_kind,
        known_at,
        dropped_at

    from guarded

    where
        place between 2 and {{ var('max_shared_key') }}
        and known_at < coalesce(dropped_at, timestamp '9999-12-31')

    union

    select * from confirmed

)

select * from edges
