"""Where things are. All state lies under one home, so that two homes never touch."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder that holds all state: MILLPOND_HOME, by default `.millpond` in the project."""
    return Path(os.environ.get("MILLPOND_HOME") or PROJECT / ".millpond").absolute()


def raw_folder() -> Path:
    return home() / "raw"


def catalog() -> Path:
    return home() / "lake" / "catalog.sqlite"


def catalog_address() -> str:
    """Of the lake, as feast_lake takes it: MILLPOND_CATALOG, by default the file of this home."""
    return os.environ.get("MILLPOND_CATALOG") or f"sqlite:{catalog()}"


def is_shared() -> bool:
    """Whether the catalog is in PostgreSQL, for a team, and not a file of this home."""
    return catalog_address().startswith("postgres:")


def data_path() -> str:
    """Folder of the lake's data files: MILLPOND_DATA, by default that of this home; a team shares one."""
    return os.environ.get("MILLPOND_DATA") or str(data_folder())


def redis() -> str | None:
    """Where features are online, such as `127.0.0.1:6379,db=1`: MILLPOND_REDIS; None: in a file of this home."""
    return os.environ.get("MILLPOND_REDIS") or None


def build_memory() -> str | None:
    """What DuckDB may take while it builds, such as `16GB`: MILLPOND_MEMORY; None: four fifths of the machine's."""
    return os.environ.get("MILLPOND_MEMORY") or None


def data_folder() -> Path:
    return home() / "lake" / "data"


def models_folder() -> Path:
    return home() / "models"


def manifest() -> Path:
    return home() / "target" / "manifest.json"
