{#-
    A feature model keeps the observations it has and appends new ones. Before that it forgets the newest one, which may have been
    made before its day was over, and all from the as-of date on, so that a backdated build leaves nothing that was not known yet.
-#}
{% macro forget_later_observations() %}
    {#- Named outside the condition, so that dbt sees the edge while it parses. -#}
    {% set as_of_date = ref('int_as_of_date') %}
    {% if is_incremental() %}
        delete from {{ this }} where observation_date >= {{ first_forgotten(as_of_date) }}
    {% endif %}
{% endmacro %}


{#- The date from which on observations are made anew. A literal, by which the engine leaves out the files of other dates. -#}
{% macro first_forgotten(as_of_date) -%}
    {%- set query = 'select least(as_of_date, (select max(observation_date) from ' ~ this ~ ')) from ' ~ as_of_date -%}
    date '{{ run_query(query).columns[0][0] }}'
{%- endmacro %}


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
{#- Named outside the condition, so that dbt sees the edges while it parses. -#}
{%- if model.resource_type != 'unit_test' %}{% set counted, as_of_date = ref('int_observations_counted'), ref('int_as_of_date') %}{% endif -%}
{%- set all_observations = ref('customer_observations') -%}
{%- if is_incremental() %}
{%- set dates = dates_that_differ(counted, as_of_date) -%}
select
    observations.customer_id,
    observations.observation_date

from {{ observations_of(dates, all_observations) }} as observations

where not exists (

        select 1 from {{ this }} as built

        where
            built.observation_date in ({{ dates }})
            and built.customer_id = observations.customer_id
            and built.observation_date = observations.observation_date

    )
{%- else -%}
select
    observations.customer_id,
    observations.observation_date

from {{ all_observations }} as observations

where {{ in_batch('observations.observation_date') }}
{%- endif %}
{%- endmacro %}


{#- A table of all observations of these dates, in the database in memory: all feature models ask the same dates. -#}
{% macro observations_of(dates, all_observations) -%}
    {{ gathered_once('observations', 'select customer_id, observation_date from ' ~ all_observations ~ ' where observation_date in (' ~ dates ~ ')') }}
{%- endmacro %}


{#-
    Dates, as literals, of which this feature model lacks observations: nearly always the newest alone. Where it was computed for another
    set of customers its rows are asked, too: who was erased is missing from both.
-#}
{% macro dates_that_differ(counted, as_of_date) -%}
    {%- set first = first_forgotten(as_of_date) -%}
    {%- set query %}
        with otherwise as (
            select * from {{ counted }}
            where observation_date < {{ first }} and ('{{ this.identifier }}', observation_date, customers, customers_hash) not in (from {{ observations_built() }})
        )
        select observation_date from {{ counted }} where observation_date >= {{ first }}
        union all
        select observation_date from otherwise
        where (observation_date, customers, customers_hash) not in (
            select observation_date, count(*), {{ set_hash('customer_id') }} from {{ this }}
            where observation_date in (select observation_date from otherwise) group by observation_date
        )
    {%- endset -%}
    {%- for row in run_query(query).rows -%}date '{{ row[0] }}'{{ ', ' if not loop.last }}{%- else -%}null{%- endfor -%}
{%- endmacro %}


{#- The sets of customers that each feature model was computed for. Not asked of its rows: some tell nothing of a customer by having none. -#}
{% macro observations_built() -%}
    {{ return(target.database ~ '.staging.observations_built') }}
{%- endmacro %}


{#- At the end of a run: the feature models that it built have all observations that are counted now. -#}
{% macro keep_observations_built(results) %}
    {% set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node') | selectattr('config.materialized', 'equalto', 'history')
        | selectattr('schema', 'equalto', 'features') | map(attribute='alias') | list if execute and target.name != 'lint' else [] %}
    {% if built %}
        delete from {{ observations_built() }} where table_name in ('{{ built | join("', '") }}');

        insert into {{ observations_built() }}

        select built.table_name, counted.*

        from (values ('{{ built | join("'), ('") }}')) as built (table_name)
        cross join {{ built_relation('int_observations_counted') }} as counted
    {% endif %}
{% endmacro %}


{#- Condition: a versioned row is the one that was known at 00:00 UTC of an observation date.
    (A comparison, not an `or`: engines hash-join on it.) -#}
{% macro known_as_of(row, observation_date) -%}
    {{ row }}.known_at < {{ observation_date }}
            and coalesce({{ row }}.superseded_at, date '9999-12-31') >= {{ observation_date }}
{%- endmacro %}


{#-
    Condition: a versioned row tells of the customer of an observation, and on its date was known and had happened: the two clocks.
    Without event_at the row holds as long as it is what we know.
-#}
{% macro observable(row, event_at=none) -%}
    observations.customer_id = {{ row }}.customer_id
            {% if event_at %}and {{ row }}.{{ event_at }} < observations.observation_date
            {% endif %}and {{ known_as_of(row, 'observations.observation_date') }}
{%- endmacro %}


{#- Condition: there was a time at which both versioned rows were what we knew. An undated row was always known. -#}
{% macro overlap(row, other_row) -%}
    coalesce({{ row }}.superseded_at, date '9999-12-31') > coalesce({{ other_row }}.known_at, date '0001-01-01')
            and coalesce({{ other_row }}.superseded_at, date '9999-12-31') > coalesce({{ row }}.known_at, date '0001-01-01')
{%- endmacro %}


{#- From when on a version of something holds for what others say of it: the first one held before we knew it, too. -#}
{% macro holds_from(key) -%}
    case
            when row_number() over (partition by source_system, {{ key }} order by known_at) > 1 then known_at
            else timestamp '0001-01-01'
        end
{%- endmacro %}
