-- A view: its rows lie in staging, and the keys say whose they are.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

assets as (

    select
        assets.source_system,
        assets.asset_id,
        keys.customer_id,
        assets.product_key,

        assets.contract_ends_on,

        assets.acquired_at,
        assets.released_at,
        assets.known_at

    from {{ ref('stg_crm__assets') }} as assets
    cross join as_of
    inner join {{ ref('customer_keys') }} as keys
        on
            assets.source_system = keys.source_system
            and assets.customer_key = keys.customer_key

    where {{ known_as_of('assets', 'as_of.as_of_date') }}

)

select * from assets
