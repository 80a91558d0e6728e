-- What customers wrote, in cases and inbound messages, with what is read from their words. Raw topics hold; key words fill gaps.
with texts as (

    select * from {{ ref('int_inbound_texts_united') }}

),

keys as (

    select * from {{ ref('customer_keys') }}

),

analysed as (

    select * from {{ ref('int_texts_analysed') }}

),

topics as (

    select * from {{ ref('int_topics_matched_to_texts') }}

),

inbound_texts as (

    select
        texts.source_system,
        texts.kind,
        texts.text_id,
        keys.customer_id,

        texts.channel,
        texts.subject,
        texts.body,
        coalesce(texts.topic, topics.topic) as topic,
        case when texts.topic is not null then 'raw' when topics.topic is not null then 'key words' end as topic_source,
        analysed.language,
        nullif(concat_ws(', ', analysed.language_method, analysed.sentiment_method), '') as text_method,

        analysed.language_probability,
        analysed.sentiment,

        texts.written_at,
        texts.known_at

    from texts
    inner join keys
        on
            texts.source_system = keys.source_system
            and texts.customer_key = keys.customer_key
    left join analysed on texts.text_hash = analysed.text_hash
    left join topics on texts.text_hash = topics.text_hash

)

select * from inbound_texts
