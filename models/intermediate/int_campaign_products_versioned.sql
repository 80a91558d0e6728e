-- What each campaign is about, from and until when we knew it: the products of its offer that have a category.
with campaigns as (

    select
        source_system,
        campaign_id,
        {{ json_texts('product_keys') }} as product_keys,
        -- Who sends a message knows its campaign, however late we were told of it.
        {{ holds_from('campaign_id') }} as known_at,
        superseded_at

    from {{ ref('stg_communications__campaigns') }}

),

offered as (

    select distinct
        source_system,
        campaign_id,
        unnest(product_keys) as product_key,
        known_at,
        superseded_at

    from campaigns

),

products as (

    select * from {{ ref('int_product_categories_versioned') }}

),

campaign_products as (

    select
        offered.source_system,
        offered.campaign_id,
        offered.product_key,
        products.category,

        greatest(offered.known_at, products.known_at) as known_at,
        least(offered.superseded_at, products.superseded_at) as superseded_at

    from offered
    inner join products
        on
            offered.source_system = products.source_system
            and offered.product_key = products.product_key
            and {{ overlap('offered', 'products') }}

)

select * from campaign_products
