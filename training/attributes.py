"""JSON attributes of customers, messages and actions as typed columns."""

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.errors import TrainingError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ISO_DATE_LENGTH = 10
MICROSECONDS_PER_DAY = 86_400_000_000

MAXIMUM_KEYS = 100
"""Those in most rows become columns: where each order has a key of its own, so would each order."""

Objects = Sequence[Mapping[str, Any]]

Categories = Mapping[str, Sequence[str] | None]
"""As those of `Encoding`: texts that a column may hold; None: it holds numbers."""

READ_AS = "dates count from the moment of the offer"
"""Changes with what a model reads of attributes, so that models which learnt otherwise are refused."""


def expand_attributes(
    json_texts: pd.Series, moments: pd.Series, prefix: str, categories: Categories | None = None
) -> pd.DataFrame:
    """One column `<prefix>_<key>` for each key of the JSON objects, sorted by name; of MAXIMUM_KEYS at most.

    A key whose values are all numbers or booleans becomes float (true: 1), all ISO dates or timestamps: days from the
    row's moment until then, anything else text. Objects and lists stay JSON text. A key that an object lacks, and JSON
    null, become null. A date counts from the moment, because as a day of the calendar every offer to come lies beyond
    what was learnt.

    Args:
        json_texts: shape (n,). JSON objects as text, or null.
        moments: shape (n,). When each was offered; UTC.
        categories: of a trained model, which says what is a text and what a number: a value then becomes the same
            whatever stands in the other rows, and what the model does not know is no column. None: a model is to be
            trained, and the values of a key decide what it is.

    Returns:
        Shape (n, number of keys); the index is kept.

    Raises:
        TrainingError: a text is not a JSON object; names the first such row.
    """
    # The same offer goes to many customers: each text is read once.
    row, distinct = pd.factorize(json_texts, use_na_sentinel=False)
    first = json_texts.index[np.unique(row, return_index=True)[1]]
    objects = [parsed(text, where) for text, where in zip(distinct, first, strict=True)]
    today = moments.to_numpy("datetime64[us]").astype(np.int64) / MICROSECONDS_PER_DAY
    columns = {}
    for key in _frequent_keys(objects, row) if categories is None else _known_keys(objects, prefix, categories):
        name, values = f"{prefix}_{key}", [one.get(key) for one in objects]
        if _holds_text(values) if categories is None else categories[name] is not None:
            columns[name] = np.array([as_text(value) for value in values], dtype=object).take(row)
        else:
            is_date = np.array([days_of(value) is not None for value in values])
            columns[name] = np.array([as_number(value) for value in values]).take(row) - today * is_date.take(row)
    return pd.DataFrame(columns, index=json_texts.index)


def _frequent_keys(objects: Objects, row: NDArray[np.intp]) -> list[str]:
    """Of the objects that rows have: the MAXIMUM_KEYS in most of the rows."""
    counts: Counter[str] = Counter()
    for one, rows in zip(objects, np.bincount(row), strict=True):
        counts.update(dict.fromkeys(one, int(rows)))
    return sorted(sorted(counts, key=lambda key: (-counts[key], key))[:MAXIMUM_KEYS])


def _known_keys(objects: Objects, prefix: str, categories: Categories) -> list[str]:
    return sorted({key for one in objects for key in one if f"{prefix}_{key}" in categories})


def postponed(text: str | None, by: timedelta) -> dict[str, Any]:
    """The JSON object with every date in it that much later; empty: null."""
    values = parsed(text, "of the catalogue")
    return {key: value if days_of(value) is None else _postponed(value, by) for key, value in values.items()}


def _postponed(date_text: str, by: timedelta) -> str:
    try:
        return (datetime.fromisoformat(date_text) + by).isoformat()
    except OverflowError:
        # 9999-12-31 stands for ever.
        return date_text


def parsed(text: Any, row: Hashable) -> dict[str, Any]:
    """The JSON object of a row; empty: null."""
    if text is None or text is pd.NA or (isinstance(text, float) and np.isnan(text)):
        return {}
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TrainingError(f"attributes of row {row}: {str(text)[:40]!r}; expected a JSON object: correct the source")
    return found


def _holds_text(values: list[Any]) -> bool:
    """Whether the values of a key are neither all numbers nor all dates."""
    present = [value for value in values if value is not None]
    are_numbers = all(isinstance(value, bool | int | float) for value in present)
    return not are_numbers and any(days_of(value) is None for value in present)


def as_number(value: Any) -> float:
    """A number as it is, true as 1, an ISO date as days since 1970-01-01, anything else as unknown (nan).

    A whole number beyond all floats is infinite, as 1e999 is; whoever takes the column refuses it.
    """
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return np.inf if value > 0 else -np.inf
    days = days_of(value)
    return np.nan if days is None else days


def as_text(value: Any) -> str | None:
    """A text as it is, null as null, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True)


def days_of(value: Any) -> float | None:
    """Days since 1970-01-01 of an ISO date or timestamp; None: it is none, as an article number is none."""
    if not isinstance(value, str) or len(value) < ISO_DATE_LENGTH or value[4] + value[7] != "--":
        return None
    try:
        return days_at(datetime.fromisoformat(value))
    except ValueError:
        return None


def days_at(moment: datetime) -> float:
    """Days since 1970-01-01; UTC, unless it says otherwise."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) / timedelta(days=1)
