-- Whether a customer may and can be reached on a channel, from and until when we thought so.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_by_reachability()) }}") }}

with evidence as (

    select
        * exclude (known_at, superseded_at),
        cast(greatest(known_at, said_at) as date) as known_at,
        cast(superseded_at as date) as superseded_at

    from {{ ref('int_reachability_evidence_united') }}

    where {{ touched_by_reachability() }}

),

-- Of most customers nothing is known but that hundreds of messages were received.
telling as (

    {{ telling_rows('evidence', 'customer_id, channel, evidence, record_id') }}

),

periods as (

    {{ knowledge_periods('telling', 'customer_id, channel') }}

),

-- The newest word of each record and the fate of the newest message; of one moment the more restrictive: "withdrawn" sorts after
-- "granted", "undelivered" after "received".
newest as (

    select
        periods.customer_id,
        periods.channel,
        telling.evidence,
        telling.record_id,
        max_by(telling.says, (telling.said_at, telling.says)) as says,
        periods.known_at,
        periods.superseded_at

    from periods
    inner join telling
        on
            periods.customer_id = telling.customer_id
            and periods.channel = telling.channel
            and {{ known_in('telling', 'periods') }}

    group by
        periods.customer_id, periods.channel, telling.evidence, telling.record_id, periods.known_at, periods.superseded_at

),

-- A bounce counts until a later message is received. Of several records the most restrictive consent holds.
judged as (

    select
        customer_id,
        channel,

        coalesce(max(says) filter (where evidence = 'consent') = 'granted', {{ not var('require_consent') }})
        and not coalesce(bool_or(says = 'undelivered'), false) as is_reachable,

        known_at,
        superseded_at,
        '{{ reachability_mark() }}' as _mark,
        {{ this_build() }} as _built_at

    from newest

    group by customer_id, channel, known_at, superseded_at

)

select * from judged
