"""What can go wrong between Feast and a lake, in words that a user can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


class LakeError(ValueError):
    """A mistake that the caller can mend; its message is one line."""


class LakeBusy(LakeError):
    """Another writer holds the lake."""


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn an error of DuckDB into a one-line LakeError that says what was being done.

    Args:
        doing: the attempt, for example "read features.customer_purchases".

    Raises:
        LakeError: DuckDB refused; its own error is the cause.
    """
    try:
        yield
    except duckdb.Error as error:
        raise LakeError(f"Could not {doing}: {_in_one_line(str(error))}") from error


def _in_one_line(message: str) -> str:
    # DuckDB draws the offending place below an empty line; the sentence stands above it.
    return " ".join(message.split("\n\n")[0].split())
