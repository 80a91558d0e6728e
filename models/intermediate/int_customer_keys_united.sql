-- Every customer key that any source names: a record of a customer, with the moment from which we knew of it.
with sightings as (

    {% for stage in [
        'stg_crm__customers', 'stg_crm__consents', 'stg_crm__cases', 'stg_crm__assets',
        'stg_invoices__invoices', 'stg_communications__messages', 'stg_communications__visits',
    ] %}
    select
        source_system,
        customer_key,
        -- A row that says it was known before it happened counts from when it happened.
        greatest(known_at, coalesce(event_at, known_at)) as known_at

    from {{ ref(stage) }}

    where customer_key is not null
    {{ 'union all' if not loop.last }}

    {% endfor %}

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

united as (

    select
        -- Stable and free of personal data: the same key has the same id in every build.
        left(md5(sightings.source_system || '/' || sightings.customer_key), 16) as record_id,
        sightings.source_system,
        sightings.customer_key,

        min(sightings.known_at) as known_at

    from sightings
    cross join as_of

    -- Null: only undated records name the customer.
    where sightings.known_at < as_of.as_of_date or sightings.known_at is null

    group by sightings.source_system, sightings.customer_key

)

select * from united
