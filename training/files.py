"""Models as JSON files: readable, comparable, and safe to open."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.errors import TrainingError


def write_json(plain: dict[str, Any], path: Path) -> None:
    """Write with sorted keys; floats come back equal to the last bit."""
    path.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n")


@contextmanager
def reading(path: Path) -> Iterator[dict[str, Any]]:
    """What `write_json` wrote, for a block that makes something of it.

    Raises:
        TrainingError: the file is not there, is no JSON, or holds something else than the block takes.
    """
    if not path.is_file():
        raise TrainingError(f"no model at {path}; expected a saved one: train it first")
    try:
        yield json.loads(path.read_text())
    except TrainingError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> TrainingError:
    """What to say of a file that is not what was saved."""
    what = f"{error} is not in it" if isinstance(error, KeyError) else error
    return TrainingError(f"{path} is damaged ({what}); expected a saved model: train it again, or promote another")
