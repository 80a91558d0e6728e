"""What applications were served, as Parquet files under <home>/serving, for the audit of online against offline."""

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from millpond import lake, settings, tombstones

if TYPE_CHECKING:
    from millpond.reader import FeatureVector

_ROWS_PER_FILE = 10_000


def folder(service: str) -> Path:
    return settings.home() / "serving" / service


class ServingLog:
    """Served vectors of one service: collected, and written a file at a time. Safe in threads.

    A row holds `request_at`, each join key, each feature, and `observed_at`: a JSON object, view → moment of values.

    Args:
        types: of the join keys and features.
    """

    def __init__(self, service: str, types: Mapping[str, pa.DataType]) -> None:
        self._service = service
        moment = pa.timestamp("us", tz="UTC")
        self._schema = pa.schema({"request_at": moment, **types, "observed_at": pa.string()})
        self._rows: list[dict[str, Any]] = []
        self._since = 0.0
        self._lock = threading.Lock()

    def add(self, vectors: Sequence["FeatureVector"], moment: datetime) -> None:
        """Remember what was served at a moment; written when there is enough for a file."""
        rows = [
            {
                "request_at": moment,
                **vector.key,
                **vector.values,
                "observed_at": json.dumps({view: at.isoformat() for view, at in vector.observed_at.items()}),
            }
            for vector in vectors
        ]
        with self._lock:
            self._since = self._since if self._rows else time.time()
            self._rows += rows
            is_full = len(self._rows) >= _ROWS_PER_FILE
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Write what was collected as one file, whole or not at all; nothing of whom somebody erased meanwhile."""
        with self._lock:
            rows, self._rows, since = self._rows, [], self._since
        rows = _without_erased(rows, since=since)
        if not rows:
            return
        target = folder(self._service) / f"{rows[0]['request_at']:%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_suffix(".tmp")
        pq.write_table(pa.Table.from_pylist(rows, schema=self._schema), staged)
        os.replace(staged, target)


def _without_erased(rows: list[dict[str, Any]], *, since: float) -> list[dict[str, Any]]:
    """Rows of those whom the lake still knows, if anybody was erased since then; tombstones name nobody."""
    stones = tombstones.path()
    if not rows or not stones.exists() or stones.stat().st_mtime < since:
        return rows
    with lake.connect() as connection:
        known = {row[0] for row in connection.execute("select customer_id from marts.customer_keys").fetchall()}
    return [row for row in rows if row.get("customer_id") in known]
