-- A view: its rows lie in staging, and the keys say whose they were.
{{ config(materialized='view') }}

with visits as (

    {{ versions_by_customer(ref('stg_communications__visits')) }}

)

select * from visits
