"""The features that a model was trained on, kept beside it: features.json."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from training.files import reading, write_json

FILE = "features.json"


class Feature(NamedTuple):
    """A feature as it was declared when a model was trained.

    Attributes:
        definition: hash of what decides its values.
        words: what its value says of a customer, with features in braces; empty: the description has to do.
    """

    name: str
    view: str
    type: str
    definition: str
    unit: str = ""
    description: str = ""
    words: str = ""


def write(features: Sequence[Feature], folder: Path) -> None:
    """Write them into a version's folder, in their order."""
    write_json({"features": [one._asdict() for one in features]}, folder / FILE)


def read(folder: Path) -> list[Feature]:
    """What `write` wrote.

    Raises:
        TrainingError: the version keeps none.
    """
    with reading(folder / FILE) as plain:
        return [Feature(**one) for one in plain["features"]]


def changes(trained: Sequence[Feature], declared: Mapping[str, Feature]) -> list[str]:
    """What a model's features are no longer, such as `customer_rhythm.frequency is double, was bigint`.

    A unit, description or words that read otherwise are no change, nor is a feature that the model does not read.
    """
    return [words for one in trained if (words := _change(one, declared.get(one.name)))]


def _change(then: Feature, now: Feature | None) -> str | None:
    said = f"{then.view}.{then.name}"
    if now is None:
        return f"{said} is gone"
    if now.view != then.view:
        return f"{said} is in {now.view}"
    if now.type != then.type:
        return f"{said} is {now.type}, was {then.type}"
    return None if now.definition == then.definition else f"{said} is computed otherwise"
