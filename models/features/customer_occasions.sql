with observations as (

    {{ new_observations() }}

),

occasions as (

    select
        observations.customer_id,
        observations.observation_date,
        occasions.occasion,
        case
            when occasions.repeats = 'yearly' then {{ next_yearly('occasions.occurs_on', 'observations.observation_date') }}
            else occasions.occurs_on
        end as next_on

    from observations
    inner join {{ ref('int_occasions_versioned') }} as occasions on {{ observable('occasions') }}

),

-- An occasion of this very day is 0 days ahead. Of several on one day the first in the alphabet.
ahead as (

    select
        customer_id,
        observation_date,
        min_by(occasion, (next_on, occasion)) as next_occasion,
        {{ days_between('observation_date', 'min(next_on)') }} as days_to_next_occasion,
        count(*) filter (where {{ days_between('observation_date', 'next_on') }} < 30) as occasions_next_30_days

    from occasions

    where next_on >= observation_date

    group by customer_id, observation_date

),

profiles as (

    select
        observations.customer_id,
        observations.observation_date,
        profiles.country,
        {{ next_yearly('profiles.birth_date', 'observations.observation_date') }} as next_birthday

    from observations
    left join {{ ref('int_customer_profiles_versioned') }} as profiles on {{ observable('profiles') }}

),

features as (

    select
        profiles.customer_id,

        ahead.next_occasion,
        holidays.next_holiday_name as next_public_holiday,

        cast(ahead.days_to_next_occasion as bigint) as days_to_next_occasion,
        coalesce(ahead.occasions_next_30_days, 0) as occasions_next_30_days,
        cast({{ days_between('profiles.observation_date', 'profiles.next_birthday') }} as bigint) as days_to_birthday,
        cast({{ days_between('profiles.observation_date', 'holidays.next_holiday_date') }} as bigint) as days_to_public_holiday,
        cast({{ days_between('holidays.last_holiday_date', 'profiles.observation_date') }} as bigint) as days_since_public_holiday,

        profiles.observation_date

    from profiles
    left join ahead using (customer_id, observation_date)
    left join {{ ref('int_public_holidays_around') }} as holidays using (country, observation_date)

)

select * from features
