{#-
    The newest event of each customer before each observation date, as it was known then; none: null.
    To the second, as Feast keeps timestamps.
    `events` names a CTE with customer_id, event_at, known_at and superseded_at beside the CTE `observations`.
-#}
{% macro newest_event(events, last_at) -%}
select
        observations.customer_id,

        date_trunc('second', max({{ events }}.event_at)) as {{ last_at }},

        observations.observation_date

    from observations
    left join {{ events }} on {{ observable(events, 'event_at') }}

    group by observations.customer_id, observations.observation_date
{%- endmacro %}
