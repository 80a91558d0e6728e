-- What customers wrote to us, newest version: cases, and inbound messages with a subject or a body. Rows without text stay in
-- their marts alone. A view: it only names columns.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

cases as (

    select
        cases.source_system,
        'case' as kind,
        cases.case_id as text_id,
        cases.customer_key,

        cases.channel,
        cases.topic,
        cast(null as varchar) as subject,
        cases.body,

        cases.opened_at as written_at,
        cases.known_at

    from {{ ref('stg_crm__cases') }} as cases
    cross join as_of

    where {{ known_as_of('cases', 'as_of.as_of_date') }}

),

messages as (

    select
        messages.source_system,
        'message' as kind,
        messages.message_id as text_id,
        messages.customer_key,

        messages.channel,
        cast(null as varchar) as topic,
        messages.subject,
        messages.body,

        messages.sent_at as written_at,
        messages.known_at

    from {{ ref('stg_communications__messages') }} as messages
    cross join as_of

    where
        messages.direction = 'inbound'
        and {{ known_as_of('messages', 'as_of.as_of_date') }}

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
