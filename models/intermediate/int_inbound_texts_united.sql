-- What customers wrote to us, in the version that is known at the as-of date.
{{ config(materialized='view') }}

with as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

texts as (

    select texts.* exclude (superseded_at, _built_at)

    from {{ ref('int_inbound_texts_versioned') }} as texts
    cross join as_of

    where {{ known_as_of('texts', 'as_of.as_of_date') }}

)

select * from texts
