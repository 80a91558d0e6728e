"""The feature store of this home, and publishing into it."""

import contextlib
import io
import os
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from feast import FeatureStore, FeatureView
from feast.repo_operations import apply_total

from feast_lake import LakeSource
from millpond import lake, settings
from millpond.errors import BuildFailed, NotBuilt

REPO = settings.PROJECT / "feature_repo"


def store() -> FeatureStore:
    """Feast's feature store on this home; hold it, for opening it takes a while."""
    os.environ["MILLPOND_HOME"] = str(settings.home())
    return FeatureStore(repo_path=str(REPO))


def published_store() -> FeatureStore:
    """The feature store, once its services are registered.

    Raises:
        NotBuilt: nothing was published in this home.
    """
    feature_store = store()
    if not feature_store.list_feature_services():
        raise NotBuilt(f"no feature service is registered in {settings.home()}: run `millpond publish` first")
    return feature_store


def apply(feature_store: FeatureStore) -> None:
    """Register the feature views and services of feature_repo; what left the repository leaves the registry.

    Raises:
        NotBuilt: there is no lake, so no manifest and no tables.
    """
    if not settings.manifest().exists():
        raise NotBuilt(f"no feature models were built in {settings.home()}: run `millpond build` first")
    here = os.getcwd()
    # Feast imports the repository's files by name and reports on standard output.
    sys.path.insert(0, str(REPO))
    sys.modules.pop("definitions", None)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            apply_total(feature_store.config, REPO, skip_source_validation=False)
    finally:
        sys.path.remove(str(REPO))
        os.chdir(here)
    feature_store.refresh_registry()


def publish(feature_store: FeatureStore, *, as_of: date, on_view: Callable[[str], None]) -> dict[str, int]:
    """Write each view's newest row per customer into the online store.

    The window is explicit: from the oldest row that the view's ttl still lets live to the as-of date.

    Returns:
        Customers (and other keys) in the lake per published view.

    Raises:
        BuildFailed: a view did not reach the online store whole; names it.
    """
    published = {}
    end = datetime.combine(as_of, time(), UTC)
    for view in feature_store.list_feature_views():
        if not view.online:
            continue
        start = end - (view.ttl or timedelta(days=365))
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            feature_store.materialize(start_date=start, end_date=end, feature_views=[view.name])
        published[view.name] = _check_count(feature_store, view, start, end)
        on_view(view.name)
    return published


def _check_count(feature_store: FeatureStore, view: FeatureView, start: datetime, end: datetime) -> int:
    keys = ", ".join(view.join_keys)
    with lake.connect() as connection:
        expected = connection.execute(
            f"""
            select count(*) from (
                select distinct {keys} from {_table(view)} where observation_date between $start and $end
            )
            """,
            {"start": start.date(), "end": end.date()},
        ).fetchall()[0][0]
    found = _online_keys(feature_store, view, start, end)
    if found < expected:
        raise BuildFailed(
            f"view {view.name}: {found} of {expected} keys are in the online store: run `millpond publish` again"
        )
    return int(expected)


def _online_keys(feature_store: FeatureStore, view: FeatureView, start: datetime, end: datetime) -> int:
    """Keys whose value online lies in the published window; older ones are left from an earlier publishing."""
    path = settings.home() / "online" / "features.db"
    with sqlite3.connect(path) as online:
        table = f"{feature_store.project}_{view.name}"
        return int(
            online.execute(
                f'select count(distinct entity_key) from "{table}" where event_ts between ? and ?',
                [int(start.timestamp()), int(end.timestamp())],
            ).fetchone()[0]
        )


def _table(view: FeatureView) -> str:
    if not isinstance(view.batch_source, LakeSource):
        raise BuildFailed(f"view {view.name} has no table in the lake: give it a LakeSource")
    return str(view.batch_source.table)
