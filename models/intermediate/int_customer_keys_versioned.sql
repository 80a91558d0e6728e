-- Which customer a key belonged to, from and until when. A customer has the id of the oldest of the records that were joined at the
-- time: a new record joins the oldest id, and of two ids that merge the older survives.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='record_id', pre_hook="{{ forget_all() }}") }}

with keys as (

    select * exclude (_built_at) from {{ ref('int_customer_keys_united') }}

),

grouped as (

    select
        groups.record_id,
        groups.starts_at,
        first_value(groups.record_id) over (
            partition by groups.starts_at, groups.group_id
            order by keys.known_at, keys.source_system, keys.customer_key
        ) as customer_id

    from {{ ref('int_identity_groups') }} as groups
    inner join keys on groups.record_id = keys.record_id

),

-- On their own: with slices in one join, an engine may join records with moments by time first.
members as (

    select
        keys.record_id,
        keys.known_at,
        components.component_id

    from {{ ref('int_identity_components') }} as components
    inner join keys on components.record_id = keys.record_id

),

-- Alone when first known and whenever nothing joins it.
states as (

    select
        record_id,
        record_id as customer_id,
        known_at,
        0 as place

    from keys

    union all

    select
        members.record_id,
        coalesce(grouped.customer_id, members.record_id) as customer_id,
        slices.starts_at as known_at,
        1 as place

    from members
    inner join {{ ref('int_identity_slices') }} as slices
        on members.component_id = slices.component_id and members.known_at <= slices.starts_at
    left join grouped on members.record_id = grouped.record_id and slices.starts_at = grouped.starts_at

),

replaced as (

    select
        *,
        lead(known_at) over (partition by record_id order by known_at, place) as next_at

    from states

),

-- A state that was replaced in the instant it became known was never the truth.
compared as (

    select
        *,
        lag(customer_id) over (partition by record_id order by known_at) as earlier_customer_id

    from replaced

    where coalesce(next_at > known_at, true)

),

versions as (

    select
        keys.record_id,
        compared.customer_id,
        keys.source_system,
        keys.customer_key,

        compared.known_at,
        lead(compared.known_at) over (partition by keys.record_id order by compared.known_at) as superseded_at

    from compared
    inner join keys on compared.record_id = keys.record_id

    where compared.customer_id is distinct from compared.earlier_customer_id

),

{% if last_built_at() -%}
built as (

    select * exclude (_built_at) from {{ this }}

),

-- Records of an id that won or lost one, so that what is summed up per id can follow.
changed_ids as (

    select customer_id from (select * from versions except select * from built) as won

    union

    select customer_id from (select * from built except select * from versions) as lost

),

changed as (

    select versions.*

    from versions

    where versions.record_id in (

        select members.record_id

        from versions as members
        inner join changed_ids on members.customer_id = changed_ids.customer_id

    )

)
{%- else -%}
changed as (

    select * from versions

)
{%- endif %}

select
    *,
    {{ this_build() }} as _built_at

from changed
