-- What says who a record is, in one spelling, and from when the record showed it. An identifier once shown keeps joining, also when
-- the record changes it later: it did belong to that person.
with keys as (

    select * from {{ ref('int_customer_keys_united') }}

),

records as (

    select
        keys.record_id,
        {{ in_one_spelling('records.email') }} as address,
        records.phone,
        coalesce(records.country, '') as country,
        nullif(trim(records.loyalty_key), '') as loyalty_key,
        {% if var('use_undated_attributes') -%}
        -- Trusted although undated: shown from when we first knew of the record.
        coalesce(records.known_at, keys.known_at) as known_at
        {%- else -%}
        -- Nobody can say when an undated row was written: in features of the past it may not join, so it never does.
        records.known_at
        {%- endif %}

    from {{ ref('stg_crm__customers') }} as records
    inner join keys
        on
            records.source_system = keys.source_system
            and records.customer_key = keys.customer_key

),

mailboxes as (

    select
        records.record_id,
        coalesce(providers.same_as, split_part(records.address, '@', 2)) as domain,
        -- Only where the provider delivers them to the same mailbox are tags and dots no difference.
        case
            when providers.ignores_plus_tags then split_part(split_part(records.address, '@', 1), '+', 1)
            else split_part(records.address, '@', 1)
        end as mailbox,
        coalesce(providers.ignores_dots, false) as ignores_dots,
        records.known_at

    from records
    left join {{ ref('email_providers') }} as providers on split_part(records.address, '@', 2) = providers.domain

    where records.address like '_%@_%._%' and records.address not like '%@%@%' and records.address not like '% %'

),

shown as (

    select
        record_id,
        'email' as identifier_kind,
        nullif(case when ignores_dots then replace(mailbox, '.', '') else mailbox end, '') || '@' || domain as identifier,
        known_at

    from mailboxes

    union all

    select
        records.record_id,
        'phone' as identifier_kind,
        phones.e164 as identifier,
        records.known_at

    from records
    inner join {{ ref('int_phone_numbers_normalised') }} as phones
        on
            records.phone = phones.phone
            and records.country = phones.country

    union all

    select
        record_id,
        'loyalty_key' as identifier_kind,
        loyalty_key as identifier,
        known_at

    from records

),

identifiers as (

    select
        shown.record_id,
        shown.identifier_kind,
        shown.identifier,

        min(shown.known_at) as known_at

    from shown

    where shown.identifier is not null and shown.known_at is not null

    group by shown.record_id, shown.identifier_kind, shown.identifier

)

select * from identifiers
