"""JSON attributes of customers, messages and actions as typed columns."""

import json
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from training.errors import TrainingError


def expand_attributes(json_texts: pd.Series, prefix: str) -> pd.DataFrame:
    """One column `<prefix>_<key>` for each key of the JSON objects, sorted by name.

    A key whose values are all numbers or booleans becomes float (true: 1), all ISO
    dates or timestamps: days since 1970-01-01 as float, anything else text. Objects and
    lists stay JSON text. A key that an object lacks, and JSON null, become null.

    Args:
        json_texts: shape (n,). JSON objects as text, or null.

    Returns:
        Shape (n, number of keys); the index is kept.

    Raises:
        TrainingError: a text is not a JSON object; names the first such row.
    """
    objects = [_parsed(text, row) for row, text in json_texts.items()]
    keys = sorted({key for one in objects for key in one})
    columns = {f"{prefix}_{key}": _typed([one.get(key) for one in objects], json_texts.index) for key in keys}
    return pd.DataFrame(columns, index=json_texts.index)


def _parsed(text: Any, row: Hashable) -> dict[str, Any]:
    if text is None or text is pd.NA or (isinstance(text, float) and np.isnan(text)):
        return {}
    try:
        parsed = json.loads(text)
    except (TypeError, ValueError):
        parsed = None
    if not isinstance(parsed, dict):
        raise TrainingError(f"attributes of row {row}: {str(text)[:40]!r}; expected a JSON object: correct the source")
    return parsed


def _typed(values: list[Any], index: pd.Index) -> pd.Series:
    present = [value for value in values if value is not None]
    if all(isinstance(value, bool | int | float) for value in present):
        return pd.Series(values, index=index, dtype=object).astype(np.float64)
    texts = [value if isinstance(value, str) else None for value in present]
    if all(text and text[:4].isdigit() and len(text) >= 10 for text in texts):
        times = pd.to_datetime(pd.Series(values, index=index), errors="coerce", utc=True, format="ISO8601")
        if times.notna().sum() == len(present):
            return (times - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return pd.Series([_as_text(value) for value in values], index=index, dtype=object)


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True)
