"""Online against offline: what applications were served, beside what the lake holds for the same moments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection
from feast import FeatureService, FeatureStore, FeatureView

from feast_lake import LakeSource
from feast_lake.connection import identifier, literal
from millpond import lake, serving_log

EXAMPLES = 3


@dataclass(frozen=True)
class Audited:
    """One feature of one service.

    Attributes:
        compared: served values that stand beside one of the lake.
        wrong: of them, those that differ from the lake.
        behind: served although the lake had a newer observation by then: publishing lagged.
        unproven: served from a pushed event, or from an observation that the lake no longer has.
        examples: of wrong ones: key, moment, served, in the lake.
    """

    service: str
    feature: str
    compared: int
    wrong: int
    behind: int
    unproven: int
    examples: tuple[str, ...]


def audit(feature_store: FeatureStore, services: Sequence[FeatureService]) -> list[Audited]:
    """Every stored feature of every service that has a serving log; empty where nothing was logged.

    What on-demand views compute is not stored, and follows from what is.
    """
    views = {view.name: view for view in feature_store.list_feature_views()}
    found: list[Audited] = []
    with lake.connect() as connection:
        for service in services:
            if list(serving_log.folder(service.name).glob("*.parquet")):
                for projection in service.feature_view_projections:
                    if projection.name in views:
                        names = [feature.name for feature in projection.features]
                        found += _audit_view(connection, service.name, views[projection.name], names)
    return found


def _audit_view(
    connection: DuckDBPyConnection, service: str, view: FeatureView, features: list[str]
) -> Iterator[Audited]:
    connection.execute(f"create or replace temp table audited as {_beside(service, view, features)}")
    known = {row[0] for row in connection.execute("describe audited").fetchall()}
    for feature in features:
        if f"served {feature}" not in known:
            # The service has it since a later contract.
            continue
        served, expected = identifier(f"served {feature}"), identifier(f"expected {feature}")
        compared, wrong, behind, unproven = connection.execute(
            f"""
            select
                count(*) filter (is_provable),
                count(*) filter (is_provable and {served} is distinct from {expected}),
                count(*) filter (is_behind),
                count(*) filter (not is_provable)
            from audited
            """
        ).fetchall()[0]
        examples = connection.execute(
            f"""
            select concat(key, ' at ', request_at, ': served ', {served}, ', in the lake ', {expected})
            from audited
            where is_provable and {served} is distinct from {expected}
            order by request_at, key
            limit {EXAMPLES}
            """
        ).fetchall()
        yield Audited(service, feature, compared, wrong, behind, unproven, tuple(row[0] for row in examples))


def _beside(service: str, view: FeatureView, features: list[str]) -> str:
    """SQL: each served row with what the lake has for the observation that was served.

    Past its ttl an observation is served as null; so is a key that the lake does not know.
    """
    source = view.batch_source
    if not isinstance(source, LakeSource):
        raise TypeError(f"{view.name} is not in the lake")
    files = literal(str(serving_log.folder(service) / "*.parquet"))
    keys = [column.name for column in view.entity_columns]
    same_key = " and ".join(f"served.{identifier(key)} = stored.{identifier(key)}" for key in keys)
    lives = (
        f"served.request_at - stored.observed_at <= interval {view.ttl.total_seconds():.0f} second"
        if view.ttl
        else "true"
    )
    values = ", ".join(
        f"served.{identifier(name)} as {identifier(f'served {name}')}, "
        f"case when {lives} then stored.{identifier(name)} end as {identifier(f'expected {name}')}"
        for name in features
    )
    observed_at = f"cast(json_extract_string(observed_at, '$.{view.name}') as timestamptz) at time zone 'UTC'"
    return f"""
        with served as (
            select
                * exclude (observed_at, request_at),
                request_at at time zone 'UTC' as request_at,
                {observed_at} as observed_at
            from read_parquet({files}, union_by_name = true)
        ),
        stored as (
            select *, cast({identifier(source.timestamp_field)} as timestamp) as observed_at from {source.table}
        ),
        newest as (
            select served.observed_at, served.request_at, {", ".join(f"served.{identifier(key)}" for key in keys)},
                max(stored.observed_at) as newest_at
            from served inner join stored on {same_key} and stored.observed_at <= served.request_at
            group by all
        )
        select
            concat_ws('/', {", ".join(f"served.{identifier(key)}" for key in keys)}) as key,
            served.request_at,
            served.observed_at is null or stored.observed_at is not null as is_provable,
            coalesce(newest.newest_at > served.observed_at, newest.newest_at is not null) as is_behind,
            {values}
        from served
        left join stored on {same_key} and served.observed_at = stored.observed_at
        left join newest
            on served.observed_at is not distinct from newest.observed_at and served.request_at = newest.request_at
            and {" and ".join(f"served.{identifier(key)} = newest.{identifier(key)}" for key in keys)}
    """
