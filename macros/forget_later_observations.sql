{#-
    A feature model keeps the observations it has and appends new ones. Before that it forgets the newest one, which may have been
    made before its day was over, and all from the as-of date on, so that a backdated build leaves nothing that was not known yet.
-#}
{% macro forget_later_observations() %}
    {#- Named outside the condition, so that dbt sees the edge while it parses. -#}
    {% set as_of_date = ref('int_as_of_date') %}
    {% if is_incremental() %}
        delete from {{ this }}

        where
            observation_date >= (select as_of_date from {{ as_of_date }})
            or observation_date = (select max(observation_date) from {{ this }})
    {% endif %}
{% endmacro %}


{#- The dates on which we looked, but for those that a backdated build does not know yet. -#}
{% macro forget_later_dates() %}
    {% set as_of_date = ref('int_as_of_date') %}
    {% if is_incremental() %}
        delete from {{ this }}

        where observation_date > (select as_of_date from {{ as_of_date }})
    {% endif %}
{% endmacro %}


{#- Observations that this feature model does not hold yet: all of them in a full build. -#}
{% macro new_observations() -%}
select
    observations.customer_id,
    observations.observation_date

from {{ ref('customer_observations') }} as observations
{%- if is_incremental() %}

where not exists (

    select 1 from {{ this }} as built

    where
        built.customer_id = observations.customer_id
        and built.observation_date = observations.observation_date

)
{%- endif %}
{%- endmacro %}


{#- Condition: a versioned row is the one that was known at 00:00 UTC of an observation date.
    (A comparison, not an `or`: engines hash-join on it.) -#}
{% macro known_as_of(row, observation_date) -%}
    {{ row }}.known_at < {{ observation_date }}
            and coalesce({{ row }}.superseded_at, date '9999-12-31') >= {{ observation_date }}
{%- endmacro %}


{#- Condition: there was a time at which both versioned rows were what we knew. An undated row was always known. -#}
{% macro overlap(row, other_row) -%}
    coalesce({{ row }}.superseded_at, date '9999-12-31') > coalesce({{ other_row }}.known_at, date '0001-01-01')
            and coalesce({{ other_row }}.superseded_at, date '9999-12-31') > coalesce({{ row }}.known_at, date '0001-01-01')
{%- endmacro %}
