"""Reading raw data without building: what would be accepted, superseded, dropped and rejected, and why."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from millpond import dbt, lake, tombstones
from millpond.errors import NoRawData

PLACES = ("MILLPOND_HOME", "MILLPOND_CATALOG", "MILLPOND_DATA")
"""What says where a lake is."""

AUDIT = """
select raw_table, sum(rows_read), sum(accepted), sum(superseded), sum(duplicates), sum(rejected)
from marts.load_audit group by raw_table order by raw_table
"""

# A reason without the value that it names, so that a thousand bad dates are one line with an example.
REASONS = """
with reasons as (
    select raw_table, raw_file, raw_row_number, unnest(string_split(reject_reasons, '; ')) as reason
    from marts.quarantine
)

select
    raw_table,
    string_split(reason, ':')[1] as reason,
    count(*) as row_count,
    min_by(raw_file || ' row ' || raw_row_number || ': ' || reason, (raw_file, raw_row_number)) as example
from reasons group by all order by raw_table, row_count desc, reason
"""


class RawCheck(NamedTuple):
    """What a build would make of raw data.

    Attributes:
        audit: per table, rows read, accepted, superseded, duplicates, rejected.
        reasons: table, reason, rows, first example.
    """

    audit: list[tuple[str, int, int, int, int, int]]
    reasons: list[tuple[str, str, int, str]]


def check_raw(
    raw: Path, *, on_node: Callable[[str], None], on_notice: Callable[[str], None] = lambda _: None
) -> RawCheck:
    """Stage the raw data of a folder in a temporary home; the home in use is not touched.

    Args:
        raw: a folder as the raw contract lays it out: <family>/<table>/ files.
        on_notice: is told what a build would warn of, such as columns that stay out of the lake.

    Raises:
        UserError: as a build: no data, a file that cannot be read, a required column that no file has.
    """
    if not raw.is_dir():
        raise NoRawData(f"{raw} is no folder: name one that holds <family>/<table>/ files (docs/raw_contract.md)")
    with _temporary_home(raw):
        nodes = ("--select", "+staging", "quarantine", "load_audit")
        with lake.writing():
            dbt.build(*nodes, variables={"max_quarantine_share": 1}, on_node=on_node, on_notice=on_notice)
        with lake.connect() as connection:
            return RawCheck(connection.execute(AUDIT).fetchall(), connection.execute(REASONS).fetchall())


@contextmanager
def _temporary_home(raw: Path) -> Iterator[None]:
    """A home of its own, with a lake of its own: a team's catalog is no place to try raw data."""
    with tempfile.TemporaryDirectory(prefix="millpond-check-") as folder:
        (Path(folder) / "raw").symlink_to(raw.resolve(), target_is_directory=True)
        if tombstones.path().exists():
            (Path(folder) / tombstones.path().name).symlink_to(tombstones.path())
        before = {name: os.environ.pop(name) for name in PLACES if name in os.environ}
        os.environ["MILLPOND_HOME"] = folder
        try:
            yield
        finally:
            os.environ.pop("MILLPOND_HOME")
            os.environ.update(before)
