"""Which rows teach: dates of observation, a sample where there are very many, and messages of tests."""

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

EVENT_TIMESTAMP = "event_timestamp"

DAYS_BETWEEN_ROWS = 28
DAYS_BEFORE_CUT = 7

MAXIMUM_ROWS = 300_000
"""Of earlier dates, or messages; above it a sample teaches about as well (timing: 0.3 to 0.9 % more log loss at a fifth
of the rows)."""


def training_dates(observation_dates: Sequence[date], cut: date) -> list[date]:
    """The cut itself, then every 28 days back from 7 days before it, on dates that were observed.

    Args:
        observation_dates: dates for which features exist, in any order.
        cut: no label reaches it.

    Returns:
        Newest first. The cut is left out if it was not observed.
    """
    chosen = [cut] if cut in observation_dates else []
    wanted = cut - timedelta(days=DAYS_BEFORE_CUT)
    for observed in sorted(observation_dates, reverse=True):
        if observed <= wanted:
            chosen.append(observed)
            wanted = observed - timedelta(days=DAYS_BETWEEN_ROWS)
    return chosen


def is_sampled(key: str, *, of: str) -> str:
    """SQL: of so many rows, this one is among the $limit that are kept; always the same ones.

    Args:
        key: an expression that tells rows apart, as text.
        of: an expression that says how many rows there are.
    """
    # Not hash(): what it gives may change with the version of the engine.
    return f"md5_number_lower({key}) / pow(2.0, 64) < $limit / {of}"


def of_tested_offers(messages: pd.DataFrame) -> pd.DataFrame:
    """Messages whose action and channel some customers received while others were left without by design.

    Returns:
        With the columns offer (action and channel) and is_contacted.
    """
    marked = messages.assign(
        offer=messages["action_id"] + " by " + messages["channel"], is_contacted=messages["arm"] == "treatment"
    )
    has_both = marked.groupby("offer")["is_contacted"].transform("nunique") == 2
    return marked[has_both].reset_index(drop=True)
