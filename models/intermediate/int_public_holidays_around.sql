-- The public holidays next to each observation date, for each country of seeds/public_holidays.csv.
with dates as (

    select * from {{ ref('int_observation_dates') }}

),

holidays as (

    select * from {{ ref('public_holidays') }}

),

near as (

    select
        holidays.*,
        dates.observation_date,
        holidays.holiday_date >= dates.observation_date as is_ahead

    from dates
    inner join holidays
        on
            holidays.holiday_date >= {{ add_days('dates.observation_date', -365) }}
            and holidays.holiday_date <= {{ add_days('dates.observation_date', 365) }}

),

around as (

    select
        country,
        observation_date,

        min_by(holiday_name, holiday_date) filter (where is_ahead) as next_holiday_name,
        min(holiday_date) filter (where is_ahead) as next_holiday_date,
        max(holiday_date) filter (where not is_ahead) as last_holiday_date

    from near

    group by country, observation_date

)

select * from around
