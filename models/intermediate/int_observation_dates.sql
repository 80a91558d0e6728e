-- Raw data cannot tell on which days we looked, so a full refresh keeps the dates that are off the grid.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    pre_hook="{{ forget_later_dates() }}",
) }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

-- The grid begins with what customers did, not with the date of birth of a CRM system (1900-01-01).
first_events as (

    select min(event_at) as event_at from {{ ref('stg_invoices__invoices') }}

    union all

    select min(event_at) as event_at from {{ ref('stg_communications__messages') }}

    union all

    select min(event_at) as event_at from {{ ref('stg_communications__visits') }}

    union all

    select min(event_at) as event_at from {{ ref('stg_crm__cases') }}

),

first_known as (

    select cast(min(event_at) as date) as first_date from first_events

),

grid as (

    {{ date_grid('(select first_date from first_known)', '(select as_of_date from as_of)', var('observation_cadence')) }}

),

wanted as (

    select observation_date from grid

    union

    select as_of_date as observation_date from as_of
    {% for observation_date in var('observation_dates') %}
    union

    select cast('{{ observation_date }}' as date) as observation_date
    {% endfor %}

),

new_dates as (

    select wanted.observation_date

    from wanted
    cross join as_of

    where wanted.observation_date <= as_of.as_of_date
    {% if is_incremental() %}
    except

    select observation_date from {{ this }}
    {% endif %}
)

select * from new_dates
