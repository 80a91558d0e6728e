with observations as (

    {{ new_observations() }}

),

tastes as (

    select
        observations.customer_id,
        observations.observation_date,
        tastes.* exclude (customer_id, known_at, superseded_at, _built_at)

    from observations
    left join {{ ref('int_tastes_versioned') }} as tastes on {{ observable('tastes') }}

),

recent as (

    select
        tastes.customer_id,
        tastes.observation_date,
        count(*) as category_days,
        count(*) filter (where category_days.category = tastes.favourite_category) as favourite_days

    from tastes
    inner join {{ ref('int_category_days_versioned') }} as category_days
        on
            tastes.customer_id = category_days.customer_id
            and category_days.purchase_date >= {{ add_days('tastes.observation_date', -90) }}
            and category_days.purchase_date < tastes.observation_date
            and {{ known_as_of('category_days', 'tastes.observation_date') }}

    group by tastes.customer_id, tastes.observation_date

),

-- What the customer bought before is no candidate: the lift is about first purchases.
candidates as (

    select
        tastes.*,
        nexts.next_categories,
        nexts.lifts,
        {{ first_not_in('nexts.next_categories', 'tastes.categories') }} as next_category_candidate

    from tastes
    left join {{ ref('int_next_categories_ranked') }} as nexts
        on
            tastes.favourite_category = nexts.category
            and tastes.observation_date = nexts.observation_date

),

features as (

    select
        candidates.customer_id,

        candidates.favourite_category,
        candidates.second_category,
        candidates.next_category_candidate,
        candidates.lifts[list_position(candidates.next_categories, candidates.next_category_candidate)] as next_category_lift,
        cast(candidates.favourite_purchase_days as double) / candidates.category_days as favourite_category_share,
        cast(candidates.second_purchase_days as double) / candidates.category_days as second_category_share,
        cast(recent.favourite_days as double) / recent.category_days
        - cast(candidates.favourite_purchase_days - recent.favourite_days as double)
        / nullif(candidates.category_days - recent.category_days, 0) as favourite_category_trend_past_90_days,
        cast({{ days_between('candidates.favourite_last_purchase_date', 'candidates.observation_date') }} as bigint)
            as days_since_last_purchase_in_favourite_category,
        cast({{ days_between('candidates.second_last_purchase_date', 'candidates.observation_date') }} as bigint)
            as days_since_last_purchase_in_second_category,
        coalesce({{ count_since('candidates.last_purchase_dates', add_days('candidates.observation_date', -365)) }}, 0)
            as categories_past_365_days,
        -- Of shares n / N: ln N - sum of n ln n / N.
        round(ln(candidates.category_days) - candidates.sum_of_n_ln_n / candidates.category_days, 6) as category_entropy_nats,
        candidates.favourite_main_brand_share as favourite_category_brand_loyalty,

        candidates.observation_date

    from candidates
    left join recent
        on
            candidates.customer_id = recent.customer_id
            and candidates.observation_date = recent.observation_date

)

select * from features
