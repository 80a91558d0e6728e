-- One euro is always worth the same in this world; a rate of every month says so.
copy (

    select
        currencies.currency,
        cast(months.day as date) as rated_on,
        cast(1 / rate_of(currencies.currency) as decimal(18, 8)) as rate

    from (values ('EUR'), ('CHF'), ('GBP'), ('USD')) as currencies (currency)
    cross join generate_series(timestamp '2023-01-01', timestamp '2023-01-01' + interval 1 day * $days, interval 1 month) as months (day)

    order by currencies.currency, rated_on

) to '$raw/exchange_rates.csv';
