-- From when an identifier joins nobody because a person has decided that two records which show it are two customers.
with identifiers as (

    select * from {{ ref('int_customer_identifiers') }}

),

told_apart as (

    select
        shown.identifier_kind,
        shown.identifier,

        min(greatest(shown.known_at, other_shown.known_at, matches.known_at)) as told_apart_at

    from {{ ref('int_matches_reviewed') }} as matches
    inner join identifiers as shown on matches.record_id = shown.record_id
    inner join identifiers as other_shown
        on
            matches.other_record_id = other_shown.record_id
            and shown.identifier_kind = other_shown.identifier_kind
            and shown.identifier = other_shown.identifier

    where not matches.is_match

    group by shown.identifier_kind, shown.identifier

)

select * from told_apart
