-- Every action of the catalogue for every customer, and to do nothing, which costs nothing and earns nothing.
with actions as (

    select
        action_id,
        channel,
        action_name,
        value,
        cost,
        weight

    from {{ ref('actions') }}

    union all

    select
        'do_nothing' as action_id,
        'none' as channel,
        'Do nothing' as action_name,
        0 as value,
        0 as cost,
        1 as weight

),

-- Every scoring replaces the predictions of its date, so there is one model version per date.
predictions as (

    select * from {{ source('predictions', 'response_propensity') }}

),

offered as (

    select
        customers.customer_id,
        as_of.as_of_date,
        actions.*,
        predictions.model_version,
        predictions.response_propensity,
        predictions.uplift,
        -- Who responds anyway needs no contact: where it is proven whom one changes, only the change counts.
        case
            when predictions.uplift_verdict = 'personalise' then predictions.uplift
            else predictions.response_propensity
        end as expected_responses

    from {{ ref('customers') }} as customers
    cross join {{ ref('int_as_of_date') }} as as_of
    cross join actions
    left join predictions
        on
            customers.customer_id = predictions.customer_id
            and actions.action_id = predictions.action_id
            and actions.channel = predictions.channel
            and as_of.as_of_date = predictions.observation_date

),

candidates as (

    select
        *,
        -- Doing nothing needs no prediction; every other candidate without one has no value that could be known.
        case when action_id = 'do_nothing' then 0 else expected_responses * value * weight - cost end as net_value

    from offered

)

select * from candidates
