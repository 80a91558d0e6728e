-- Every action of the catalogue for every customer, and to do nothing, which costs nothing and earns nothing.
with customers as (

    select customer_id from {{ ref('customers') }}

),

as_of as (

    select as_of_date from {{ ref('int_as_of_date') }}

),

actions as (

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

    select
        customer_id,
        action_id,
        channel,
        observation_date,
        model_version,
        response_propensity

    from {{ source('predictions', 'response_propensity') }}

),

candidates as (

    select
        customers.customer_id,
        as_of.as_of_date,
        actions.action_id,
        actions.channel,
        actions.action_name,
        predictions.model_version,

        actions.value,
        actions.cost,
        predictions.response_propensity,
        -- Doing nothing needs no prediction; every other candidate without one has no value that could be known.
        case
            when actions.action_id = 'do_nothing' then 0
            else predictions.response_propensity * actions.value * actions.weight - actions.cost
        end as net_value

    from customers
    cross join as_of
    cross join actions
    left join predictions
        on
            customers.customer_id = predictions.customer_id
            and actions.action_id = predictions.action_id
            and actions.channel = predictions.channel
            and as_of.as_of_date = predictions.observation_date

)

select * from candidates
