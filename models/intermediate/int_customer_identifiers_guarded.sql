-- From when an identifier joins nobody: it is shown by too many records, or by records that cannot be one person, or that a person has decided
-- are not. A family that shares an e-mail is told apart by what each has only one of; a loyalty key is taken at its word.
with holders as (

    select
        identifiers.identifier_kind,
        identifiers.identifier,
        identifiers.known_at,
        row_number() over (
            partition by identifiers.identifier_kind, identifiers.identifier
            order by identifiers.known_at, identifiers.record_id
        ) as place,
        {% for column in var('one_per_person') -%}
        traits.{{ column }},
        greatest(identifiers.known_at, traits.{{ column }}_known_at) as {{ column }}_known_at,
        {% endfor -%}
        traits.record_id is not null as has_traits

    from {{ ref('int_customer_identifiers') }} as identifiers
    left join {{ ref('int_customer_traits') }} as traits on identifiers.record_id = traits.record_id

),

first_values as (

    select
        *,
        {% for column in var('one_per_person') -%}
        first_value({{ column }}) over (
            partition by identifier_kind, identifier
            order by {{ column }} is null, {{ column }}_known_at, {{ column }}
        ) as first_{{ column }},
        {% endfor -%}
        count(*) over (partition by identifier_kind, identifier) as record_count

    from holders

),

guarded as (

    select
        identifier_kind,
        identifier,

        min(case when place > {{ var('max_shared_key') }} then known_at end) as shared_too_widely_at,
        {% for column in var('one_per_person') -%}
        min(
            case when identifier_kind != 'loyalty_key' and {{ column }} != first_{{ column }} then {{ column }}_known_at end
        ) as {{ column }}_contradicted_at,
        {% endfor -%}
        max(record_count) as record_count

    from first_values

    group by identifier_kind, identifier

),

dropped as (

    select
        guarded.identifier_kind,
        guarded.identifier,
        guarded.record_count,

        least(
            guarded.shared_too_widely_at
            {%- for column in var('one_per_person') %},
            guarded.{{ column }}_contradicted_at
            {%- endfor %},
            told_apart.told_apart_at
        ) as dropped_at

    from guarded
    left join {{ ref('int_identifiers_told_apart') }} as told_apart
        on
            guarded.identifier_kind = told_apart.identifier_kind
            and guarded.identifier = told_apart.identifier

)

select * from dropped
