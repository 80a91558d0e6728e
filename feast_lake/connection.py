"""Connections to a DuckLake: in-memory DuckDB with the lake attached as `lake`."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from feast_lake.errors import LakeError, explained
from feast_lake.expansion import expand, expand_path

LAKE = "lake"
_SCANNER_OF = {"sqlite": "sqlite_scanner", "postgres": "postgres_scanner"}
_EXTENSION_SITE_OFF = {
    "autoinstall_known_extensions": "false",
    # A misspelt table must not pick up a Python variable of the same name.
    "python_enable_replacements": "false",
}


@dataclass(frozen=True)
class Address:
    """Where a lake is and how to attach it, with every setting expanded.

    Attributes:
        scheme: "sqlite", "postgres", or "" for a catalog in a DuckDB file.
        location: the catalog's file, or its connection string.
        options: of ATTACH, as SQL.
        memory_limit: of DuckDB's work, such as `4GB`; "" for DuckDB's own.
    """

    scheme: str
    location: str
    options: str
    memory_limit: str = ""

    @property
    def is_file(self) -> bool:
        """Whether the catalog is a file of this machine."""
        return self.scheme != "postgres"

    def open(self) -> DuckDBPyConnection:
        """A new DuckDB with the lake attached; see `connect`."""
        connection = duckdb.connect(config=dict(_EXTENSION_SITE_OFF))
        try:
            _load_extensions(connection, self.scheme)
            # A connection string may hold a password.
            with explained(f"open the lake {self.location if self.is_file else 'in PostgreSQL'}"):
                address = f"ducklake:{self.scheme}:{self.location}" if self.scheme else f"ducklake:{self.location}"
                connection.execute(f"ATTACH {literal(address)} AS {LAKE}{self.options}")
                # A folder of its own: two processes that spill into one folder overwrite each other's files.
                beside = Path(self.location).parent if self.is_file else Path(tempfile.gettempdir())
                spill = beside / f".spill-{uuid.uuid4().hex}"
                connection.execute(f"SET temp_directory = {literal(str(spill))}")
                if self.memory_limit:
                    connection.execute(f"SET memory_limit = {literal(self.memory_limit)}")
                start_session(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def connect(
    catalog: str,
    data_path: str | None = None,
    snapshot: int | None = None,
    read_only: bool = True,
    schema: str | None = None,
) -> DuckDBPyConnection:
    """Open a lake. Each call is a DuckDB of its own, so threads need share nothing; see also `reader`.

    Args:
        catalog: where the lake's catalog is: `sqlite:<file>`, `postgres:<connection string>` or
            the file of a DuckDB catalog. `${NAME:-default}` is expanded.
        data_path: folder of the data files, if it is not where the catalog says (a lake that was
            moved, or built with a relative path). Expanded too.
        snapshot: number of the snapshot to read; None reads the newest.
        read_only: False allows writing, to the newest snapshot.
        schema: of PostgreSQL, that holds the catalog's tables; by default what `one_writer` published
            last, or DuckLake's own default where nothing was.

    Returns:
        A connection in UTC whose current database is the lake; close it, or use it in `with`.

    Raises:
        LakeError: no catalog there (none is created), no such snapshot, an extension is missing.
    """
    return address_of(catalog, data_path=data_path, snapshot=snapshot, read_only=read_only, schema=schema).open()


def address_of(
    catalog: str,
    *,
    data_path: str | None,
    snapshot: int | None,
    read_only: bool,
    schema: str | None = None,
    memory_limit: str | None = None,
) -> Address:
    """Expand the arguments of `connect`; memory_limit as of `Address`.

    Raises:
        LakeError: no catalog there, a variable that is not set, or a snapshot to be written to.
    """
    scheme, location = _located(catalog)
    options = _attach_options(data_path=data_path, snapshot=snapshot, read_only=read_only)
    schema = schema or (_published_schema(location) if scheme == "postgres" else None)
    if schema:
        options.append(f"METADATA_SCHEMA {literal(schema)}")
    return Address(scheme, location, f" ({', '.join(options)})" if options else "", memory_limit or "")


def start_session(connection: DuckDBPyConnection) -> None:
    """Settings that DuckDB keeps per connection: a cursor starts without them."""
    connection.execute(
        "SET TimeZone = 'UTC';"
        # Over an input of unknown size the planner takes a loop join, 150 times slower here.
        "SET asof_loop_join_threshold = 0;"
        "SET enable_progress_bar = false;"
        f"USE {LAKE};"
    )


def install_extensions() -> list[str]:
    """Install DuckDB's extensions from their wheels (`duckdb-extension-…`); no network.

    Returns:
        Names of the extensions installed, in alphabetical order.

    Raises:
        LakeError: the wheels lack a file for this version of DuckDB.
    """
    installed = []
    for name in ("ducklake", "postgres_scanner", "sqlite_scanner"):
        package = find_spec(f"duckdb_extension_{name}")
        if package is None or package.origin is None:
            continue
        folder = Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}"
        file = folder / f"{name}.duckdb_extension"
        with explained(f"install DuckDB's extension {name} from {file}"):
            duckdb.connect().execute(f"INSTALL {literal(str(file))}")
        installed.append(name)
    return installed


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def qualified(table: str) -> str:
    """The quoted name of a lake's table: `features.purchases` → `"lake"."features"."purchases"`.

    Raises:
        LakeError: an empty part, or more than schema and table.
    """
    parts = table.split(".")
    if not all(parts) or len(parts) > 2:
        raise LakeError(f"{table!r} is not a table of a lake; expected 'schema.table'")
    return ".".join(identifier(part) for part in (LAKE, *parts))


def _located(catalog: str) -> tuple[str, str]:
    address = expand(catalog.removeprefix("ducklake:"))
    head, _, tail = address.partition(":")
    scheme, rest = (head, tail) if head in _SCANNER_OF else ("", address)
    if scheme == "postgres":
        return scheme, rest
    path = expand_path(rest)
    if not path.is_file():
        raise LakeError(f"There is no lake at {path}; build it first, or correct `catalog`")
    return scheme, str(path)


def _published_schema(location: str) -> str | None:
    from feast_lake.postgres_branch import PostgresBranch

    place = PostgresBranch(location).published()
    return place.schema if place else None


def _attach_options(*, data_path: str | None, snapshot: int | None, read_only: bool) -> list[str]:
    options = []
    if read_only:
        options.append("READ_ONLY")
    elif snapshot is not None:
        raise LakeError(f"Snapshot {snapshot} is the past; only the newest can be written to")
    else:
        # Rows lie in data files only: else few of them go into the catalog, each table with two more beside it.
        options.append("DATA_INLINING_ROW_LIMIT 0")
    if data_path is not None:
        folder = data_path if "://" in data_path else str(expand_path(data_path))
        options += [f"DATA_PATH {literal(folder)}", "OVERRIDE_DATA_PATH true"]
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot)}")
    return options


def _load_extensions(connection: DuckDBPyConnection, scheme: str) -> None:
    for name in ("ducklake", *([_SCANNER_OF[scheme]] if scheme else [])):
        try:
            connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            wheel = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
            raise LakeError(
                f"DuckDB's extension {name} is not installed; run: pip install {wheel} && "
                'python -c "import feast_lake; feast_lake.install_extensions()"'
            ) from error
