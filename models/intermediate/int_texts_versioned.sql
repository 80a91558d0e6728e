-- Every version of what customers wrote, whose it was, and what its words say. Topic and sentiment follow from the words, so they are
-- known when these are. A view: the rows lie elsewhere.
{{ config(materialized='view') }}

with texts as (

    {{ versions_by_customer(ref('int_inbound_texts_versioned')) }}

),

analysed as (

    select * from {{ ref('int_texts_analysed') }}

),

topics as (

    select * from {{ ref('int_topics_matched_to_texts') }}

),

versions as (

    select
        texts.customer_id,
        texts.source_system,
        texts.kind,
        texts.text_id,

        coalesce(texts.topic, topics.topic) as topic,
        analysed.sentiment,

        texts.written_at,
        texts.known_at,
        texts.superseded_at

    from texts
    left join analysed on texts.text_hash = analysed.text_hash
    left join topics on texts.text_hash = topics.text_hash

)

select * from versions
