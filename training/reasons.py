"""Reasons of a prediction, in words: what adds most to its log odds or takes most from them."""

import re
import string
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from training import contributions
from training.contributions import Contributions
from training.feature_list import Feature
from training.repurchase_timing import RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel

NULL = "null:"
"""What follows it in a description is said of a value that is unknown."""

COUNTED = ("days", "messages", "lines", "categories", "cases", "years")
"""Units that are said with a number."""


def of_timing(
    model: RepurchaseTimingModel,
    features: pd.DataFrame,
    n: int,
    *,
    declared: Sequence[Feature],
    horizon: int = contributions.TIMING_HORIZON,
) -> pd.DataFrame:
    """Why each customer will buy again soon, or not; see `reasons` and `contributions.of_timing`."""
    return reasons(contributions.of_timing(model, features, horizon=horizon), features, n, declared=declared)


def of_response(
    model: ResponsePropensityModel, inputs: pd.DataFrame, n: int, *, declared: Sequence[Feature]
) -> pd.DataFrame:
    """Why each message is answered, or not; see `reasons` and `contributions.of_response`."""
    return reasons(contributions.of_response(model, inputs), inputs, n, declared=declared)


def reasons(found: Contributions, inputs: pd.DataFrame, n: int, *, declared: Sequence[Feature]) -> pd.DataFrame:
    """The n reasons that move each prediction most, either way.

    Features that are told in the same words are one reason, and their contributions add up: of two that say nearly the
    same, a model may count one for and one against, which is no reason by itself.

    Args:
        found: of the rows of `inputs`.
        declared: features with description, unit and words, as a version keeps them; other inputs are told by name.

    Returns:
        One row per prediction and reason: row (its place in `inputs`), rank (from 1), inputs (names), contribution (to
        the log odds; above 0: makes it likelier) and text.
    """
    known = {one.name: one for one in declared}
    groups = _told_together(list(found.by_input.columns), known)
    values = np.column_stack([found.by_input[names].to_numpy().sum(axis=1) for names in groups])
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :n]
    rows = inputs.to_dict("records")
    return pd.DataFrame(
        [
            {
                "row": row,
                "rank": rank,
                "inputs": ", ".join(groups[group]),
                "contribution": values[row, group],
                "text": text(groups[group][0], rows[row], known),
            }
            for row, best in enumerate(order)
            for rank, group in enumerate(best, start=1)
        ],
        columns=["row", "rank", "inputs", "contribution", "text"],
    )


def _told_together(names: Sequence[str], known: Mapping[str, Feature]) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        words = known[name].words if name in known else ""
        groups.setdefault(words or name, []).append(name)
    return list(groups.values())


def text(name: str, row: Mapping[Hashable, Any], known: Mapping[str, Feature]) -> str:
    """Such as `bought 12 days ago, usually every 9`.

    Args:
        name: of an input.
        row: the inputs of a prediction.
        known: features by name; an input that is none came with the offer.
    """
    return re.sub(r"\b1 (day|message|line|case)s\b", r"1 \1", _text(name, row, known))


def _text(name: str, row: Mapping[Hashable, Any], known: Mapping[str, Feature]) -> str:
    if name not in known:
        return f"{name.replace('_', ' ')}: {_number(row.get(name), None)}"
    feature = known[name]
    fields = [field for _, field, _, _ in string.Formatter().parse(feature.words) if field]
    if fields and not any(pd.isna(row.get(field)) for field in fields):
        return feature.words.format_map({field: _number(row[field], known.get(field)) for field in fields})
    said = feature.description.partition(NULL)[0].rstrip("; .")
    number = _number(row.get(name), feature)
    return f"{said[:1].lower()}{said[1:]}: {number}" + (f" {feature.unit}" if feature.unit in COUNTED else "")


def _number(value: Any, feature: Feature | None) -> str:
    """Whole numbers whole, shares in percent, others with as many digits as a person reads."""
    if pd.isna(value):
        return "unknown"
    if isinstance(value, str | bool):
        return str(value)
    if feature is not None and feature.unit == "share":
        return f"{value:.0%}"
    return f"{value:,.0f}" if abs(value) >= 10 or float(value).is_integer() else f"{value:.1f}"
