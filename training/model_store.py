"""Where trained models lie: <folder>/<name>/<version>/, and `current`, which names the version in use."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

CURRENT = "current"


def keep(
    folder: Path,
    name: str,
    *,
    as_of: date,
    write: Callable[[Path], None],
    describe: Callable[[Path, str], None],
    is_used: bool = True,
) -> str:
    """Store a model as a new version and make it the current one.

    The version is the as-of date and a digest of the files: the same training gives the same version. A killed
    call leaves the earlier version current.

    Args:
        folder: of all models.
        name: of this model, such as `repurchase_timing`.
        write: writes the model's files into the folder it is given.
        describe: writes what is said of the model, such as its card, into the folder, given the version.
        is_used: False: leave the current one as it is.

    Returns:
        The version, such as `2018-01-02-1f0c9a2b`.
    """
    parent = folder / name
    parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".writing-", dir=parent))
    try:
        write(staged)
        version = f"{as_of.isoformat()}-{_digest(staged)}"
        describe(staged, version)
        staged.chmod(0o755)
        if (parent / version).exists():
            # The same model again: its card may say something new.
            shutil.copytree(staged, parent / version, dirs_exist_ok=True)
        else:
            os.replace(staged, parent / version)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    if is_used:
        promote(folder, name, version)
    return version


def promote(folder: Path, name: str, version: str) -> None:
    """Make a version the current one, in one step.

    Raises:
        FileNotFoundError: there is no such version.
    """
    if not (folder / name / version).is_dir():
        raise FileNotFoundError(f"no version {version} of {name} in {folder}")
    pointer = folder / name / f".{CURRENT}"
    pointer.write_text(version + "\n")
    os.replace(pointer, folder / name / CURRENT)


def versions(folder: Path, name: str) -> list[str]:
    """Versions of a model, newest as-of date first; empty: never trained."""
    found = [path.name for path in (folder / name).glob("*") if path.is_dir() and not path.name.startswith(".")]
    return sorted(found, reverse=True)


def current(folder: Path, name: str) -> Path | None:
    """Folder of the current version; None: never trained."""
    pointer = folder / name / CURRENT
    return folder / name / pointer.read_text().strip() if pointer.exists() else None


def usable(folder: Path, name: str) -> Path | None:
    """As `current`; None also where what `current` names is gone."""
    found = current(folder, name)
    return found if found and found.name in versions(folder, name) else None


def as_of(version: str) -> date:
    """The as-of date of a version: it learnt from nothing that was known later."""
    return date.fromisoformat(version[:10])


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]
