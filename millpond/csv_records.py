"""Records of a CSV file one by one, as they stand: as in a build, one that is malformed costs no other."""

import csv
import itertools
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import pyarrow as pa

LONGEST = 16 * 2**20
"""Characters of a record; macros/raw/csv_files.sql reads as many."""

BATCH_ROWS = 10_000

Record = tuple[list[str] | None, str]
"""Its values (None: it is malformed), and its own text, which may span lines."""


def open_text(file: Path, mode: str = "r") -> IO[str]:
    """Bytes that are not UTF-8, and line ends, come and go as they are."""
    return file.open(mode, encoding="utf-8", errors="surrogateescape", newline="")


def records(source: Iterable[str]) -> Iterator[Record]:
    """Each record of a CSV. A quote that is not closed costs its own line, not those after it."""
    csv.field_size_limit(sys.maxsize)
    lines, ahead = iter(source), deque[str]()
    while line := _next(ahead, lines):
        values = _values(line)
        yield (values, line) if values is not None else _spanning(line, ahead, lines)


def _next(ahead: deque[str], lines: Iterator[str]) -> str:
    return ahead.popleft() if ahead else next(lines, "")


def _spanning(line: str, ahead: deque[str], lines: Iterator[str]) -> Record:
    """The record that a line begins and the next line with an odd number of quotes ends; else the line, malformed."""
    taken, size = deque[str](), len(line)
    is_open = line.count('"') % 2 == 1
    while is_open and size < LONGEST and (following := _next(ahead, lines)):
        taken.append(following)
        size += len(following)
        is_open = following.count('"') % 2 == 0
    text = line + "".join(taken)
    values = _values(text)
    if values is None:
        ahead.extendleft(reversed(taken))
    return (None, line) if values is None else (values, text)


def _values(text: str) -> list[str] | None:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        return None


def header(found: Iterator[Record]) -> tuple[list[str], str]:
    """The names of the columns as a build takes them, and the text up to their end; what is left are the rows.

    No part of a name are a byte order mark, blanks at its ends and case; empty lines may come first.
    """
    text = ""
    for values, as_written in found:
        text += as_written
        if values != []:
            return [_text(name.removeprefix("\ufeff")).strip(" ").lower() for name in values or ()], text
    return [], text


def batches(file: Path) -> pa.RecordBatchReader:
    """The sound records of a CSV file with a header, as text, some at a time."""
    with open_text(file) as source:
        schema = pa.schema([(column, pa.string()) for column in header(records(source))[0]])
    return pa.RecordBatchReader.from_batches(schema, _batches(file, schema))


def malformed(file: Path) -> Iterator[str]:
    """The records that `batches` leaves out, as they stand."""
    with open_text(file) as source:
        found = records(source)
        width = len(header(found)[0])
        # An empty line is no record.
        yield from (text for values, text in found if values is None or 0 < len(values) < width)


def _batches(file: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    width = len(schema.names)
    with open_text(file) as source:
        found = records(source)
        header(found)
        rows = ([_text(value) for value in values[:width]] for values, _ in found if values and len(values) >= width)
        while some := list(itertools.islice(rows, BATCH_ROWS)):
            yield pa.record_batch([pa.array(cells, pa.string()) for cells in zip(*some, strict=True)], schema=schema)


def _text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
