-- The days between a purchase day and the one before it, as they were known over time: another day is the one before from when a day in
-- between became known late, or was taken back. So no feature has to sort a customer's days once per observation date.
{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ forget(touched_customers()) }}") }}

with versions as (

    select * from {{ ref('int_purchase_days_versioned') }}

    where {{ touched_customers() }}

),

-- A day whose amounts are corrected stays a purchase day: only what makes it one or no more counts.
changes as (

    {{ knowledge_changes('versions', 'customer_id, purchase_date') }}

),

days as (

    select
        *,
        lead(known_at) over (partition by customer_id, purchase_date order by known_at) as superseded_at

    from changes

    qualify change > 0

),

-- The first of them is that of the day itself.
moments as (

    select distinct
        days.customer_id,
        days.purchase_date,
        changes.known_at,
        days.superseded_at

    from days
    inner join changes
        on
            days.customer_id = changes.customer_id
            and days.purchase_date >= changes.purchase_date
            and days.known_at <= changes.known_at
            and coalesce(days.superseded_at > changes.known_at, true)

),

gaps as (

    select
        moments.*,
        {{ days_between('max(earlier.purchase_date)', 'moments.purchase_date') }} as gap_days

    from moments
    left join days as earlier
        on
            moments.customer_id = earlier.customer_id
            and moments.purchase_date > earlier.purchase_date
            and {{ known_in('earlier', 'moments') }}

    group by moments.customer_id, moments.purchase_date, moments.known_at, moments.superseded_at

),

-- Most changes are to days before the one before.
changed_gaps as (

    select * from gaps

    qualify gap_days is distinct from lag(gap_days, 1, -1) over (partition by customer_id, purchase_date, superseded_at order by known_at)

),

dated as (

    select
        * replace (least(superseded_at, lead(known_at) over this_gap) as superseded_at),
        {{ this_build() }} as _built_at

    from changed_gaps

    window this_gap as (partition by customer_id, purchase_date, superseded_at order by known_at)

)

select * from dated
