-- The survivors of each customer in order of net value; ties go to the cheaper action, then to the name that sorts first.
with candidates as (

    select * from {{ ref('candidates') }}

),

excluded as (

    select
        customer_id,
        action_id,
        channel,
        string_agg(reason, ', ' order by reason) as exclusion_reasons

    from {{ ref('exclusions') }}

    group by customer_id, action_id, channel

),

judged as (

    select
        candidates.*,
        excluded.exclusion_reasons

    from candidates
    left join excluded
        on
            candidates.customer_id = excluded.customer_id
            and candidates.action_id = excluded.action_id
            and candidates.channel = excluded.channel

),

placed as (

    select
        *,
        row_number() over (
            partition by customer_id, exclusion_reasons is null
            order by net_value desc, cost asc, action_id asc, channel asc
        ) as place

    from judged

),

ranked as (

    select
        * exclude (place),
        case when exclusion_reasons is null then place end as rank

    from placed

)

select * from ranked
