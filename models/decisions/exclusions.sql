-- Why a candidate may not be chosen: one row per candidate and rule that fires. A rule is a model of rules/, and its name is the reason.
-- Facts that are missing or stale exclude; doing nothing needs no leave.
{%- set rules = [
    'already_responded',
    'consent_not_granted',
    'consent_unreadable',
    'consent_withdrawn',
    'contact_cap_reached',
    'customer_deleted',
    'no_prediction',
    'stale_features',
] %}
with fired as (

    {% for rule in rules -%}
    select
        customer_id,
        action_id,
        channel,
        '{{ rule }}' as reason

    from {{ ref(rule) }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}

),

exclusions as (

    select * from fired

    where action_id != 'do_nothing'

)

select * from exclusions
