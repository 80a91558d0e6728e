"""Publishing: the newest features of every view into the online store, one view after the other."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

from duckdb import DuckDBPyConnection
from feast import FeatureStore, FeatureView

from feast_lake import LakeSource, publish_view
from feast_lake.packed_store import layout
from feast_lake.publishing import online_store
from millpond import lake, pushing
from millpond.errors import BuildFailed, PublishFailed

# A view without ttl lives this long online.
UNBOUNDED = timedelta(days=365)


@dataclass(frozen=True)
class Published:
    """What happened to one view.

    Attributes:
        keys: customers (and other keys) that are online.
        values: written; 0 where the view was already published from this state of the lake.
        removed: keys that were online and are no longer in the lake.
        newest: newest observation date in the lake.
    """

    view: str
    keys: int
    values: int
    removed: int
    newest: date | None
    seconds: float


def publish(feature_store: FeatureStore, *, as_of: date, on_view: Callable[[str], None]) -> list[Published]:
    """Make the online store hold each view's newest row per key, and nothing that is no longer in the lake.

    The window is explicit: from the oldest row that the view's ttl still lets live to the as-of date. A view is
    published whole or not at all, and not again from the same state of the lake: a killed run goes on where it was.
    Recorded events that the lake does not know are pushed again, for a publishing takes them back.

    Raises:
        PublishFailed: at least one view failed, after all others were tried; names each with its error.
    """
    done: list[Published] = []
    failed: dict[str, list[str]] = defaultdict(list)
    with lake.connect() as connection:
        for view in feature_store.list_feature_views():
            if not view.online:
                continue
            try:
                done.append(_publish(feature_store, connection, view, as_of))
            # Whatever stops one view must not stop the others.
            except Exception as error:
                failed[" ".join(str(error).split())].append(view.name)
            on_view(view.name)
    if failed:
        raise PublishFailed(_in_one_line(failed, len(done)))
    return done


def _in_one_line(failed: dict[str, list[str]], done: int) -> str:
    """Each error once, with its views: an online store that is gone fails them all alike."""
    count = sum(map(len, failed.values()))
    errors = "; ".join(f"{', '.join(views)}: {error}" for error, views in failed.items())
    return (
        f"{count} of {count + done} views are as they were online: {errors}; mend what it says, then run "
        "`millpond publish` again"
    )


def _publish(feature_store: FeatureStore, connection: DuckDBPyConnection, view: FeatureView, as_of: date) -> Published:
    begin = perf_counter()
    end = datetime.combine(as_of, time(), UTC)
    start = end - (view.ttl or UNBOUNDED)
    expected, newest, snapshot = _in_lake(connection, view, start, end)
    mark = f"as of {as_of}, snapshot {snapshot}, layout {layout(view)}"
    sink = online_store(feature_store)
    values = removed = 0
    if sink.published_mark(feature_store.config, view) != mark:
        # What was pushed against a date to come goes too, and is pushed again if the lake does not know it.
        replaced = publish_view(feature_store, view, start=start, end=end + pushing.AHEAD, mark=mark)
        values, removed = replaced.values, replaced.removed
    pushing.push_again(view.name, feature_store, as_of=as_of)
    found = sink.count_published(feature_store.config, view)
    if found < expected:
        raise BuildFailed(f"{found} of {expected} keys are in the online store")
    return Published(view.name, expected, values, removed, newest, perf_counter() - begin)


def layout_of(mark: str) -> str:
    """Hash of the features that a view was published with, see `packed_store.layout`; empty: the mark does not say."""
    return mark.rpartition(" layout ")[2] if " layout " in mark else ""


def _in_lake(
    connection: DuckDBPyConnection, view: FeatureView, start: datetime, end: datetime
) -> tuple[int, date | None, int]:
    """Keys that a view has in a window, its newest date there, and the lake's snapshot."""
    if not isinstance(view.batch_source, LakeSource):
        raise BuildFailed("it has no table in the lake: give it a LakeSource")
    keys = ", ".join(view.join_keys)
    found = connection.execute(
        f"""
        select
            count(distinct ({keys})),
            max({view.batch_source.timestamp_field}),
            (select max(snapshot_id) from ducklake_snapshots('lake'))
        from {view.batch_source.table}
        where {view.batch_source.timestamp_field} between $start and $end
        """,
        {"start": start.date(), "end": end.date()},
    ).fetchall()
    row: tuple[int, date | None, int] = found[0]
    return row
