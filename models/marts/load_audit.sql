-- What became of the rows of every raw file: rows_read is always the sum of the four that follow.
with rows_by_status as (

    {% for family, table in raw_tables() %}
    select
        '{{ family }}/{{ table }}' as raw_table,
        _file as raw_file,
        row_status,
        count(*) as row_count

    from {{ ref('base_' ~ family ~ '__' ~ table) }}

    group by _file, row_status
    {{ 'union all' if not loop.last }}

    {% endfor %}

),

audit as (

    select
        raw_table,
        raw_file,

        cast(sum(row_count) as bigint) as rows_read,
        cast(coalesce(sum(row_count) filter (where row_status = 'accepted'), 0) as bigint) as accepted,
        cast(coalesce(sum(row_count) filter (where row_status = 'superseded'), 0) as bigint) as superseded,
        cast(coalesce(sum(row_count) filter (where row_status = 'duplicate'), 0) as bigint) as duplicates,
        cast(coalesce(sum(row_count) filter (where row_status = 'rejected'), 0) as bigint) as rejected

    from rows_by_status

    group by raw_table, raw_file

)

select * from audit
