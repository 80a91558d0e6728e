-- What customers wrote to us, every version: cases, and inbound messages with a subject or a body. Rows without text stay in
-- their marts alone. A view: it only names columns.
{{ config(materialized='view') }}

with cases as (

    select
        source_system,
        'case' as kind,
        case_id as text_id,
        customer_key,

        channel,
        topic,
        cast(null as varchar) as subject,
        body,

        opened_at as written_at,
        known_at,
        superseded_at,
        _built_at

    from {{ ref('stg_crm__cases') }}

),

messages as (

    select
        source_system,
        'message' as kind,
        message_id as text_id,
        customer_key,

        channel,
        cast(null as varchar) as topic,
        subject,
        body,

        sent_at as written_at,
        known_at,
        superseded_at,
        _built_at

    from {{ ref('stg_communications__messages') }}

    where direction = 'inbound'

),

texts as (

    select * from cases

    union all

    select * from messages

),

hashed as (

    select
        *,
        md5({{ written_text('subject', 'body') }}) as text_hash,
        {{ written_text('subject', 'body') }} as text

    from texts

    where {{ written_text('subject', 'body') }} is not null

)

select * from hashed
