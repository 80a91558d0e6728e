-- Every customer key that any source names: a record of a customer, with the moment from which we knew of it. Built
-- incrementally, what is new can only bring a key or an earlier moment: so a key counts also where a row that names another one
-- replaced its row in the instant it became known. Staging drops such rows, and nothing would tell that the key is to go.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_id', pre_hook="{{ forget_all() }}") }}

{%- set built_at = last_built_at() %}

with sightings as (

    {% for base in [
        'base_crm__customers', 'base_crm__consents', 'base_crm__cases', 'base_crm__assets',
        'base_invoices__invoices', 'base_communications__messages', 'base_communications__visits',
    ] %}
    select
        source_system,
        customer_key,
        -- A row that says it was known before it happened counts from when it happened.
        greatest(known_at, coalesce(event_at, known_at)) as known_at

    from {{ ref(base) }}

    where row_status in ('accepted', 'superseded') and customer_key is not null {{ 'and _built_at > ' ~ built_at if built_at }}
    {{ 'union all' if not loop.last }}

    {% endfor %}

),

united as (

    select
        -- Stable and free of personal data: the same key has the same id in every build.
        left(md5(sightings.source_system || '/' || sightings.customer_key), 16) as record_id,
        sightings.source_system,
        sightings.customer_key,

        -- Null: only undated records name the customer.
        min(sightings.known_at) as known_at,
        {{ this_build() }} as _built_at

    from sightings

    group by sightings.source_system, sightings.customer_key

),

{% if built_at -%}
changed as (

    select united.* replace (least(united.known_at, built.known_at) as known_at)

    from united
    left join {{ this }} as built on united.record_id = built.record_id

    where built.record_id is null or coalesce(united.known_at < coalesce(built.known_at, date '9999-12-31'), false)

)
{%- else -%}
changed as (

    select * from united

)
{%- endif %}

select * from changed
