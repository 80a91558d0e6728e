-- How many customers had bought a category after another, or both at first on one day, as far as we knew on each observation date.
with successions as (

    select * from {{ ref('int_category_successions_dated') }}

),

changes as (

    {{ knowledge_changes('successions', 'category, next_category, is_after') }}

),

known_days as (

    select distinct known_at from changes

),

-- What becomes known on a day counts from the first observation date after it.
days as (

    select
        known_days.known_at,
        min(dates.observation_date) as observation_date

    from known_days
    inner join {{ ref('int_observation_dates') }} as dates on known_days.known_at < dates.observation_date

    group by known_days.known_at

),

changes_by_date as (

    select
        changes.category,
        changes.next_category,
        days.observation_date,
        sum(changes.change) filter (where changes.is_after) as bought_after,
        sum(changes.change) filter (where not changes.is_after) as bought_same_day

    from changes
    inner join days on changes.known_at = days.known_at

    group by changes.category, changes.next_category, days.observation_date

),

pairs as (

    select distinct
        category,
        next_category

    from changes

),

counts as (

    select
        pairs.category,
        pairs.next_category,

        cast(coalesce(sum(changes_by_date.bought_after) over so_far, 0) as bigint) as bought_after,
        cast(coalesce(sum(changes_by_date.bought_same_day) over so_far, 0) as bigint) as bought_same_day,

        dates.observation_date

    from pairs
    cross join {{ ref('int_observation_dates') }} as dates
    left join changes_by_date using (category, next_category, observation_date)

    window so_far as (partition by pairs.category, pairs.next_category order by dates.observation_date)

)

select * from counts

where bought_after > 0 or bought_same_day > 0
