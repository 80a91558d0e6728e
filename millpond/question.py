"""Read-only questions to the lake."""

from pathlib import Path

import duckdb

from millpond import lake
from millpond.errors import BadQuery

FORMATS = {".parquet": "format parquet", ".csv": "format csv, header"}


def ask(query: str, to: Path | None = None, *, failed: bool = False) -> str:
    """Answer as a table in text, or written to a file.

    Args:
        failed: ask what the last build that failed had written, not what is published.

    Raises:
        BadQuery: it is not SQL that the lake can answer, or the file's kind is unknown.
    """
    if to is not None and to.suffix not in FORMATS:
        raise BadQuery(f"{to.name}: expected a file that ends in {' or '.join(FORMATS)}")
    with lake.connect_failed() if failed else lake.connect() as connection:
        try:
            relation = connection.sql(query)
            if relation is None:
                raise BadQuery("that is no question: expected a select; the lake is read-only here")
            if to is None:
                return str(relation)
            target = str(to).replace("'", "''")
            rows = connection.execute(f"copy ({relation.sql_query()}) to '{target}' ({FORMATS[to.suffix]})").fetchall()
            return f"Wrote {rows[0][0]:,} rows to {to}."
        except duckdb.Error as error:
            raise BadQuery(" ".join(str(error).split())) from None
