-- Each text once: many customers write the same words, and a text is analysed once.
{{ config(materialized='view') }}

with texts as (

    select
        text_hash,
        min(text) as text

    from {{ ref('int_inbound_texts_united') }}

    group by text_hash

)

select * from texts
