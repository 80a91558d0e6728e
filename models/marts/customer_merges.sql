-- Every id that ended in another or came back out of it. Rows are only ever added: they follow from what reached us at their moment.
with changes as (

    select
        record_id,
        customer_id,
        lag(customer_id) over (partition by record_id order by known_at) as earlier_customer_id,
        known_at

    from {{ ref('int_customer_keys_versioned') }}

),

edges as (

    select
        components.component_id,
        edges.identifier_kind,
        edges.known_at,
        edges.dropped_at

    from {{ ref('int_identity_edges') }} as edges
    inner join {{ ref('int_identity_components') }} as components on edges.record_id = components.record_id

),

-- What an edge may bring about, and when.
causes as (

    select
        component_id,
        identifier_kind,
        'merged' as kind,
        known_at as happened_at

    from edges

    union all

    select
        component_id,
        identifier_kind,
        'separated' as kind,
        dropped_at as happened_at

    from edges

    union all

    select
        components.component_id,
        refused.identifier_kind,
        'separated' as kind,
        min(refused.starts_at) as happened_at

    from {{ ref('int_identity_edges_refused') }} as refused
    inner join {{ ref('int_identity_components') }} as components on refused.record_id = components.record_id

    group by components.component_id, refused.record_id, refused.other_record_id, refused.identifier_kind

),

-- An id is that of its oldest record, so it ends when that record goes to another and comes back when it returns.
turns as (

    select
        changes.record_id as customer_id,
        case
            when changes.customer_id = changes.record_id then changes.earlier_customer_id
            else changes.customer_id
        end as other_customer_id,
        case when changes.customer_id = changes.record_id then 'separated' else 'merged' end as kind,
        components.component_id,
        changes.known_at as happened_at

    from changes
    inner join {{ ref('int_identity_components') }} as components on changes.record_id = components.record_id

    where
        (changes.earlier_customer_id = changes.record_id and changes.customer_id != changes.record_id)
        or (changes.earlier_customer_id != changes.record_id and changes.customer_id = changes.record_id)

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

logged as (

    select
        turns.customer_id,
        turns.other_customer_id,
        turns.kind,
        string_agg(distinct causes.identifier_kind, ', ' order by causes.identifier_kind) as identifier_kinds,

        turns.happened_at

    from turns
    cross join as_of
    left join causes
        on
            turns.component_id = causes.component_id
            and turns.kind = causes.kind
            and turns.happened_at = causes.happened_at

    where turns.happened_at < as_of.as_of_date

    group by turns.customer_id, turns.other_customer_id, turns.kind, turns.happened_at

)

select * from logged
