-- The day on which a customer first bought a category, from and until when we believed it, however many purchases followed.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_buyers()) }}") }}

with histories as (

    select * from {{ ref('int_category_histories_versioned') }}

    where {{ touched_buyers() }}

),

changes as (

    {{ knowledge_changes('histories', 'customer_id, category, first_purchase_date') }}

),

believed as (

    select
        * exclude (change),
        lead(known_at) over (partition by customer_id, category, first_purchase_date order by known_at) as superseded_at

    from changes

    qualify change > 0

)

select
    *,
    {{ this_build() }} as _built_at

from believed
