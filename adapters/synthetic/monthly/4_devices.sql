-- One customer of the webshop in 25 buys a device, which reports every month until it is given back.
create or replace temp table devices as

select
    n,
    entry_day + whole_below(200, 'device', n, 0) as acquired_day,
    case when chance('device back', n, 0) < 0.1 then acquired_day + 90 + whole_below(300, 'device back', n, 1) end as released_day

from persons

where has_shop and chance('device', n, 1) < 0.04

order by n;

copy (

    with versions as (

        select
            *,
            false as is_released,
            acquired_day as known_day

        from devices

        union all

        select
            *,
            true as is_released,
            released_day as known_day

        from devices

        where released_day is not null

    )

    select
        'shop' as source_system,
        id_of('asset', n, 0) as asset_id,
        key_of('shop', n) as customer_key,
        moment(acquired_day, 43200) as acquired_at,
        printf('P%04d', whole_below(1000, 'device product', n, 0)) as product_key,
        date '2023-01-01' + acquired_day + 730 as contract_ends_on,
        case when is_released then moment(released_day, 43200) end as released_at,
        moment(known_day, 43200) as known_at

    from versions

    where known_day >= getvariable('first_day') and known_day < getvariable('next_first_day')

    order by known_day, n

) to '$raw/crm/assets/synthetic-$month.parquet' (format parquet);

copy (

    select
        'shop' as source_system,
        id_of('asset', n, 0) as asset_id,
        moment(getvariable('first_day'), 3600) as measured_at,
        metric,
        case metric
            when 'usage_hours' then round(200 * power(chance('usage', n, 0), 2) * (0.5 + chance('usage', n, getvariable('first_day'))), 1)
            else round(100 - 0.02 * (getvariable('first_day') - acquired_day) - chance('battery', n, getvariable('first_day')), 1)
        end as value

    from devices
    cross join (values ('usage_hours'), ('battery_percent')) as metrics(metric)

    where
        acquired_day < getvariable('first_day')
        and coalesce(released_day >= getvariable('first_day'), true)

    order by n, metric

) to '$raw/crm/asset_readings/synthetic-$month.parquet' (format parquet);
