"""`${NAME:-default}` in Feast's settings, and in the address of Feast's SQL registry."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, CreateEnginePlugin

from feast_lake.errors import LakeError

_VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:\$\{[^}]*\}|[^}])*))?\}")


def expand(text: str) -> str:
    """Put environment variables into a text, as a shell does.

    `${NAME}` must be set; `${NAME:-default}` takes the default if NAME is unset or empty; a
    default may hold variables of its own. Feast
    expands `${NAME}` alone when it reads feature_store.yaml, and leaves the other form as it is.

    Raises:
        LakeError: a variable without default is not set.
    """
    return _VARIABLE.sub(_value_of, text)


def _value_of(found: re.Match[str]) -> str:
    name, default = found["name"], found["default"]
    value = os.environ.get(name, "")
    if value or (default is None and name in os.environ):
        return value
    if default is None:
        raise LakeError(f"{name} is not set; set it, or give a default: ${{{name}:-default}}")
    return expand(default)


def expand_path(text: str) -> Path:
    """The absolute path that a setting means, with its variables expanded.

    A relative path starts at the current directory or, inside a Feast repository (a folder with
    a feature_store.yaml), at the folder above it. `feast -c feature_repo apply` changes into
    the repository while `materialize` stays outside; this way both mean the same file.
    """
    here = Path.cwd()
    start = here.parent if (here / "feature_store.yaml").is_file() else here
    return start / Path(expand(text)).expanduser()


class ExpandPlugin(CreateEnginePlugin):
    """SQLAlchemy plug-in: `sqlite:///${HOME_OF_IT:-.here}/registry.db?plugin=expand`.

    Expands the database part of the address; for SQLite it also makes the path absolute (see
    expand_path) and creates the folder, because Feast opens its registry on start.
    """

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        super().__init__(url, kwargs)

    def update_url(self, url: URL) -> URL:
        """The address with the real database in it."""
        if not url.database or url.database == ":memory:":
            return url
        if url.get_backend_name() != "sqlite":
            return url.set(database=expand(url.database))
        path = expand_path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        return url.set(database=str(path))
