"""The SQL of historical reads, as text: nothing here touches a database.

A read is one statement. Each view gives these steps, those up to matched_<n> on
keys and timestamps alone:

    exact_<n>     entity rows whose own timestamp the view has: no other row of it can be newer
    others_<n>    the rest
    matched_<n>   for each entity row the timestamp of the row to use; for the rest by an ASOF join
    found_<n>     the rows of that timestamp, with their features
    tied_<n>      entity rows for which there are several: of these the rows are read again, with all that ranks them
    features_<n>  the features of one row each

An ASOF join sorts both sides, an equality join does not, and rows asked for are often the view's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from feast_lake.connection import identifier
from feast_lake.view_read import ViewRead, greatest

ENTITY_ROWS = "temp.__lake_entity_rows"
ROW = "__lake_row"
AT = "__lake_at"
CREATED = "__lake_created"
_RANK = "__lake_rank_"


def historical(views: Sequence[ViewRead], *, with_entity_rows: bool = True) -> str:
    """Features of every entity row as of its timestamp, in the order of the rows.

    Expects the table ENTITY_ROWS (see entity_rows) to exist. Among the rows of a view with the
    entity row's keys, not newer than its timestamp and not older than ttl, the newest wins, then
    the newest created, then the greatest features of the view in the order of their columns' names,
    so that equal lakes give equal answers. No such row: the features are null.

    Args:
        with_entity_rows: whether the rows' own columns stand before the features.
    """
    steps = [step for number, view in enumerate(views) for step in _steps(number, view)]
    features = [f"features_{number}.{identifier(name)}" for number, view in enumerate(views) for name in view.features]
    joins = [f"left join features_{number} using ({ROW})\n" for number in range(len(views))]
    rows = [f"entity_rows.* exclude ({ROW}, {AT})"] if with_entity_rows else []
    columns = ",\n    ".join([*rows, *features])
    preparation = "with\n" + ",\n".join(steps) + "\n" if steps else ""
    # Without the final sort DuckDB 1.5 may wait for ever: for an answer's first rows, which wait for their reader.
    return (
        f"{preparation}select\n    {columns}\nfrom {ENTITY_ROWS} as entity_rows\n{''.join(joins)}"
        f"order by entity_rows.{ROW}"
    )


def entity_rows(*, rows: str, timestamp: str, moment: str, casts: dict[str, str]) -> str:
    """Put the entity rows into ENTITY_ROWS, numbered, with their timestamp in UTC.

    A temporary table has a known size; over a frame or a stream of unknown size DuckDB plans a
    loop join. A timestamp without zone is UTC.

    Args:
        rows: stands after FROM.
        timestamp: the rows' timestamp column.
        moment: SQL of it as TIMESTAMPTZ.
        casts: column → type, for columns whose own type says nothing (all null, no rows).
    """
    replaced = [f"cast({identifier(name)} as {kind}) as {identifier(name)}" for name, kind in casts.items()]
    return (
        f"create temp table {ENTITY_ROWS.removeprefix('temp.')} as\n"
        f"select\n    row_number() over () as {ROW},\n"
        f"    * replace ({', '.join([f'{moment} as {identifier(timestamp)}', *replaced])}),\n"
        f"    cast({moment} as timestamp) as {AT}\n"
        f"from {rows} as entity_rows"
    )


def _steps(number: int, view: ViewRead) -> list[str]:
    known_by_row = view.known_by_row and view.created
    match = [f"matched_{number} as (\n{_matched_known(view)}\n)"] if known_by_row else _match(number, view)
    same_created = f" and matched.{CREATED} = source.{CREATED}" if known_by_row else ""
    features = ", ".join(f"source.{identifier(name)}" for name in view.features)
    same = f"{_same_keys('matched', view)}matched.{AT} = source.{AT}{same_created}"
    ranks = [*([CREATED] if view.created else []), *(f"{_RANK}{place}" for place in range(len(view.ranks)))]
    tie_break = greatest(f"source.{name}" for name in ranks)
    return [
        *match,
        (
            f"found_{number} as (\n"
            f"    select matched.{ROW}, {features}\n"
            f"    from matched_{number} as matched\n"
            f"    join {_source(view, columns=_features(view))} as source\n"
            f"        on {same}\n)"
        ),
        f"tied_{number} as (\n    select {ROW} from found_{number} group by {ROW} having count(*) > 1\n)",
        # Ranking reads and sorts all features, and few views have two rows of one key and timestamp.
        (
            f"features_{number} as (\n"
            f"    from found_{number} anti join tied_{number} using ({ROW})\n"
            f"    union all\n"
            f"    select matched.{ROW}, {features}\n"
            f"    from matched_{number} as matched\n"
            f"    semi join tied_{number} using ({ROW})\n"
            f"    join {_source(view, columns=[*_features(view), *_ranks(view)])} as source\n"
            f"        on {same}\n"
            f"    qualify row_number() over (partition by matched.{ROW} order by {tie_break}) = 1\n)"
        ),
    ]


def _match(number: int, view: ViewRead) -> list[str]:
    columns = _entity_columns(view)
    keys = ", ".join(map(identifier, view.keys))
    # Sorting is what an ASOF join costs, and a training set seldom asks for every customer.
    asked_for = f" semi join others_{number} using ({keys})" if keys else ""
    fresh = f"\n    where {_within_ttl(view.ttl)}" if view.ttl else ""
    return [
        f"exact_{number} as (\n"
        f"    select {columns}, entity_rows.{AT}\n"
        f"    from {ENTITY_ROWS} as entity_rows\n"
        f"    semi join {_source(view)} as source\n"
        f"        on {_same_keys('entity_rows', view)}entity_rows.{AT} = source.{AT}\n)",
        # An ASOF join puts null after every timestamp, so a null one would match the newest row.
        f"others_{number} as (\n"
        f"    select {columns}, entity_rows.{AT}\n"
        f"    from {ENTITY_ROWS} as entity_rows\n"
        f"    anti join exact_{number} using ({ROW})\n"
        f"    where entity_rows.{AT} is not null\n)",
        f"matched_{number} as (\n"
        f"    from exact_{number}\n"
        f"    union all\n"
        f"    select {columns}, source.{AT}\n"
        f"    from others_{number} as entity_rows\n"
        f"    asof join (\n"
        f"        select * from {_source(view)} as every_row{asked_for} where every_row.{AT} is not null\n"
        f"    ) as source\n"
        f"        on {_same_keys('entity_rows', view)}entity_rows.{AT} >= source.{AT}{fresh}\n)",
    ]


def _matched_known(view: ViewRead) -> str:
    # An ASOF join takes one inequality, and here there are two.
    fresh = f"\n        and {_within_ttl(view.ttl)}" if view.ttl else ""
    newest = f"max(struct_pack(seen := source.{AT}, created := source.{CREATED}))"
    return (
        f"    select {_entity_columns(view)},\n"
        f"        struct_extract({newest}, 'seen') as {AT},\n"
        f"        struct_extract({newest}, 'created') as {CREATED}\n"
        f"    from {ENTITY_ROWS} as entity_rows\n"
        f"    join {_source(view)} as source\n"
        f"        on {_same_keys('entity_rows', view)}entity_rows.{AT} >= source.{AT}\n"
        f"        and entity_rows.{AT} >= source.{CREATED}{fresh}\n"
        f"    group by {_entity_columns(view)}"
    )


def _within_ttl(ttl: timedelta | None) -> str:
    microseconds = (ttl or timedelta()) // timedelta(microseconds=1)
    return f"source.{AT} + to_microseconds({microseconds}) >= entity_rows.{AT}"


def _entity_columns(view: ViewRead) -> str:
    return ", ".join(f"entity_rows.{name}" for name in (ROW, *map(identifier, view.keys)))


def _same_keys(rows: str, view: ViewRead) -> str:
    return "".join(f"{rows}.{name} = source.{name} and " for name in map(identifier, view.keys))


def _features(view: ViewRead) -> list[str]:
    return [f"{identifier(column)} as {identifier(name)}" for name, column in view.features.items()]


def _ranks(view: ViewRead) -> list[str]:
    return [f"{identifier(column)} as {_RANK}{place}" for place, column in enumerate(view.ranks)]


def _source(view: ViewRead, *, columns: Sequence[str] = ()) -> str:
    own = [*view.named_keys, f"cast({identifier(view.timestamp)} as timestamp) as {AT}"]
    if view.created:
        own.append(f"cast({identifier(view.created)} as timestamp) as {CREATED}")
    return f"(select {', '.join([*own, *columns])} from {view.relation} as source)"
