-- A view: its rows lie in staging, and the keys say whose they are.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

texts as (

    select * from {{ ref('inbound_texts') }}

),

cases as (

    select
        cases.source_system,
        cases.case_id,
        keys.customer_id,

        -- A case without a body has no row in texts.
        coalesce(cases.topic, texts.topic) as topic,
        case when cases.topic is not null then 'raw' else texts.topic_source end as topic_source,
        cases.channel,
        cases.body,
        texts.language,
        texts.text_method,

        cases.satisfaction,
        texts.sentiment,

        cases.opened_at,
        cases.closed_at,
        cases.known_at

    from {{ ref('stg_crm__cases') }} as cases
    cross join as_of
    inner join {{ ref('customer_keys') }} as keys
        on
            cases.source_system = keys.source_system
            and cases.customer_key = keys.customer_key
    left join texts
        on
            cases.source_system = texts.source_system
            and cases.case_id = texts.text_id
            and texts.kind = 'case'

    where {{ known_as_of('cases', 'as_of.as_of_date') }}

)

select * from cases
