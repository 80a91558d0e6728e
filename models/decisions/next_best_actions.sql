-- What to do for each customer: rank 1. What follows is worth doing too, down to doing nothing.
with ranked as (

    select * from {{ ref('ranked_candidates') }}

),

left_out as (

    select
        customer_id,
        string_agg(action_name || ' (' || replace(exclusion_reasons, '_', ' ') || ')', ', ' order by action_id, channel) as actions

    from ranked

    where exclusion_reasons is not null

    group by customer_id

),

worth_doing as (

    select
        ranked.*,
        left_out.actions as left_out_actions,
        max(case when ranked.action_id = 'do_nothing' then ranked.rank end) over (partition by ranked.customer_id) as last_rank

    from ranked
    left join left_out on ranked.customer_id = left_out.customer_id

    where ranked.rank is not null

),

actions as (

    select
        customer_id,
        as_of_date,
        cast(rank as integer) as rank,

        action_id,
        channel,

        response_propensity,
        expected_responses,
        cast(net_value as double) as net_value,

        case
            when action_id != 'do_nothing'
                then {{ offer_in_words() }}
            when rank = 1 and left_out_actions is null then 'No action is worth more than it costs'
            when rank = 1 then 'Nothing else is worth doing; left out: ' || left_out_actions
            else 'Do nothing'
        end as reason

    from worth_doing

    where rank <= last_rank

)

select * from actions
