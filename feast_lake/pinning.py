"""The same answer again, later: a feature store whose historical reads see one snapshot of the lake."""

from __future__ import annotations

from feast import FeatureStore

from feast_lake.errors import explained
from feast_lake.lake import Lake


def pinned(store: FeatureStore, snapshot: int | None = None) -> FeatureStore:
    """Open a feature store again, on one snapshot of its lake.

    What is built later changes nothing there: the same entity rows and features give the same bytes, as long
    as the snapshot is kept and the views are defined as they were. It cannot write to the lake.

    Args:
        store: with a LakeOfflineStore; it is not changed.
        snapshot: as `lake_snapshot` of the settings; None takes the newest.

    Returns:
        A store of its own, on the same registry and online store. Its snapshot stands in
        `config.offline_store.lake_snapshot`.

    Raises:
        LakeError: the store has no lake, or the lake has no such snapshot (any more).
    """
    config = store.config.model_copy(deep=True)
    config.offline_store.lake_snapshot = snapshot if snapshot is not None else newest_snapshot(Lake.of(config))
    Lake.of(config).read().close()
    return FeatureStore(config=config)


def newest_snapshot(lake: Lake) -> int:
    """Number of the snapshot that a read sees now.

    Raises:
        LakeError: as from `Lake.read`.
    """
    with lake.read() as connection, explained("read the lake's snapshots"):
        [(newest,)] = connection.execute("select id from ducklake_current_snapshot('lake')").fetchall()
    return int(newest)
