-- What customers buy after a category, the most surprising first, as far as we knew on each observation date.
{%- set fewest_buyers = 10 -%}
{%- set prior_buyers = 20 %}
with counts as (

    select * from {{ ref('int_category_successions_counted') }}

),

buyers as (

    select
        category,
        observation_date,
        bought_same_day as buyers

    from counts

    where category = next_category

),

-- Who bought the next category before or on the same day could not buy it after: what goes into one basket is no next purchase.
chances as (

    select
        buyers.category,
        nexts.category as next_category,
        buyers.observation_date,
        coalesce(counts.bought_after, 0) as bought_after,
        buyers.buyers - coalesce(counts.bought_same_day, 0) - coalesce(reversed.bought_after, 0) as could_buy_after

    from buyers
    inner join buyers as nexts
        on
            buyers.observation_date = nexts.observation_date
            and buyers.category != nexts.category
    left join counts
        on
            buyers.category = counts.category
            and nexts.category = counts.next_category
            and buyers.observation_date = counts.observation_date
    left join counts as reversed
        on
            nexts.category = reversed.category
            and buyers.category = reversed.next_category
            and buyers.observation_date = reversed.observation_date

),

-- The base rate weighs as much as {{ prior_buyers }} customers: few buyers prove no large lift.
lifts as (

    select
        category,
        next_category,
        observation_date,
        cast(sum(bought_after) over after_any as double) / nullif(cast(sum(could_buy_after) over after_any as double), 0) as base_rate,
        (bought_after + {{ prior_buyers }} * base_rate) / (could_buy_after + {{ prior_buyers }}) / base_rate as lift

    from chances

    window after_any as (partition by next_category, observation_date)

    qualify bought_after >= {{ fewest_buyers }} and lift > 1

),

ranked as (

    select
        category,

        list(next_category order by lift desc, next_category asc) as next_categories,
        list(lift order by lift desc, next_category asc) as lifts,

        observation_date

    from lifts

    group by category, observation_date

)

select * from ranked
