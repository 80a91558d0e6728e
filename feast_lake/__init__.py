"""Feast on a DuckLake: a data source, an as-of offline store, a SQLite online store in WAL mode.

Everything is imported on first use, so that `import feast_lake` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feast_lake.branch import branch_of, in_course, one_writer
    from feast_lake.connection import connect, install_extensions
    from feast_lake.errors import LakeBusy, LakeError
    from feast_lake.expansion import ExpandPlugin, expand
    from feast_lake.lake import reader
    from feast_lake.offline_store import LakeOfflineStore, LakeOfflineStoreConfig
    from feast_lake.online_store import WalSqliteOnlineStore, WalSqliteOnlineStoreConfig
    from feast_lake.pinning import pinned
    from feast_lake.place import Place
    from feast_lake.publishing import publish_view
    from feast_lake.source import LakeLoggingDestination, LakeSource, SavedDatasetLakeStorage

__all__ = [
    "ExpandPlugin",
    "LakeBusy",
    "LakeError",
    "LakeLoggingDestination",
    "LakeOfflineStore",
    "LakeOfflineStoreConfig",
    "LakeSource",
    "Place",
    "SavedDatasetLakeStorage",
    "WalSqliteOnlineStore",
    "WalSqliteOnlineStoreConfig",
    "branch_of",
    "connect",
    "expand",
    "in_course",
    "install_extensions",
    "one_writer",
    "pinned",
    "publish_view",
    "reader",
]

_MODULE_OF = {
    "ExpandPlugin": "expansion",
    "LakeBusy": "errors",
    "LakeError": "errors",
    "LakeLoggingDestination": "source",
    "LakeOfflineStore": "offline_store",
    "LakeOfflineStoreConfig": "offline_store",
    "LakeSource": "source",
    "Place": "place",
    "SavedDatasetLakeStorage": "source",
    "WalSqliteOnlineStore": "online_store",
    "WalSqliteOnlineStoreConfig": "online_store",
    "branch_of": "branch",
    "connect": "connection",
    "expand": "expansion",
    "in_course": "branch",
    "install_extensions": "connection",
    "one_writer": "branch",
    "publish_view": "publishing",
    "pinned": "pinning",
    "reader": "lake",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'feast_lake' has no attribute {name!r}")
    return getattr(import_module(f"feast_lake.{_MODULE_OF[name]}"), name)
