-- Rejected rows with every reason and the row itself, so that they can be mended at their source.
with rejected as (

    {% for family, table in raw_tables() %}
    select
        '{{ family }}/{{ table }}' as raw_table,
        base._file as raw_file,
        base._row as raw_row_number,
        base.source_system,
        base.reject_reasons,
        -- A row that was sound by itself, but refers to nothing, is shown as it was read.
        coalesce(base._raw_row, cast(to_json(base) as varchar)) as raw_row

    from (
        select * exclude (_typing_reasons, _file_mark, _known_at, _built_at)
        from {{ ref('base_' ~ family ~ '__' ~ table) }}
    ) as base

    where base.row_status = 'rejected'
    {{ 'union all' if not loop.last }}

    {% endfor %}

)

select * from rejected
