-- Every id that ended in another or came back out of it. Rows are only ever added: they follow from what reached us at their moment.
with changes as (

    select
        keys.record_id,
        keys.customer_id,
        lag(keys.customer_id) over (partition by keys.record_id order by keys.known_at) as earlier_customer_id,
        keys.known_at

    from {{ ref('int_customer_keys_versioned') }} as keys
    cross join {{ ref('int_as_of_date') }} as as_of

    where keys.known_at < as_of.as_of_date

),

-- What an edge may bring about, and when.
causes as (

    select
        components.component_id,
        edges.identifier_kind,
        unnest(['merged', 'separated']) as kind,
        unnest([edges.known_at, edges.dropped_at]) as happened_at

    from {{ ref('int_identity_edges') }} as edges
    inner join {{ ref('int_identity_components') }} as components on edges.record_id = components.record_id

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

    where (changes.customer_id = changes.record_id) != (changes.earlier_customer_id = changes.record_id)

),

logged as (

    select
        turns.customer_id,
        turns.other_customer_id,
        turns.kind,
        string_agg(distinct causes.identifier_kind, ', ' order by causes.identifier_kind) as identifier_kinds,

        turns.happened_at

    from turns
    left join causes using (component_id, kind, happened_at)

    group by turns.customer_id, turns.other_customer_id, turns.kind, turns.happened_at

)

select * from logged
