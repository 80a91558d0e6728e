"""Models as JSON files: readable, comparable, and safe to open."""

import json
from pathlib import Path
from typing import Any

from training.errors import TrainingError


def write_json(plain: dict[str, Any], path: Path) -> None:
    """Write with sorted keys; floats come back equal to the last bit."""
    path.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote.

    Raises:
        TrainingError: the file is not there, or damaged.
    """
    if not path.is_file():
        raise TrainingError(f"no model at {path}; expected a saved one: train it first")
    try:
        plain: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise damaged(path, error) from None
    return plain


def damaged(path: Path, error: Exception) -> TrainingError:
    """What to say of a file that is not what was saved."""
    return TrainingError(f"{path} is damaged ({error}); expected a saved model: train it again, or promote another")
