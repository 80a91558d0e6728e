-- Each text once: many customers write the same words, and a text is analysed once. Corrected versions too, for features
-- look back at what was known then.
{{ config(materialized='view') }}

with texts as (

    select
        text_hash,
        min(text) as text

    from {{ ref('int_inbound_texts_versioned') }}

    group by text_hash

)

select * from texts
