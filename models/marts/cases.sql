-- A view: its rows lie in staging, and the keys say whose they are.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

cases as (

    select
        cases.source_system,
        cases.case_id,
        keys.customer_id,

        cases.topic,
        cases.channel,
        cases.body,

        cases.satisfaction,

        cases.opened_at,
        cases.closed_at,
        cases.known_at

    from {{ ref('stg_crm__cases') }} as cases
    cross join as_of
    inner join {{ ref('customer_keys') }} as keys
        on
            cases.source_system = keys.source_system
            and cases.customer_key = keys.customer_key

    where {{ known_as_of('cases', 'as_of.as_of_date') }}

)

select * from cases
