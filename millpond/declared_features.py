"""Features as they are declared today, with hashes of what decides them, and whether models still fit them.

A hash is of the column's own SQL and of that of feature models beneath it. What lies deeper is not in it: a change of a
mart shows in `millpond drift`.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from millpond import settings
from millpond.column_definition import definition
from millpond.errors import FeaturesChanged, NotBuilt
from training import feature_list
from training.attributes import READ_AS
from training.dataset import ATTRIBUTES, SERVICES
from training.errors import TrainingError
from training.feature_list import Feature

Models = dict[str, dict[str, Any]]


def inputs_of(model: str, inputs: Sequence[str]) -> list[Feature]:
    """Those of a model's inputs that are features of its service; the others come with the offer.

    Raises:
        NotBuilt: no feature model was compiled in this home.
    """
    declared = _of_service(SERVICES[model], inputs)
    return [declared[name] for name in inputs if name in declared]


def require_unchanged(model: str, folder: Path) -> None:
    """Refuse a version whose features are no longer what it learnt from.

    Raises:
        FeaturesChanged: names the first feature; or the version keeps no list of them.
        NotBuilt: no feature model was compiled in this home.
    """
    try:
        trained = feature_list.read(folder)
    except TrainingError:
        raise FeaturesChanged(f"{model} {folder.name} keeps no list of its features: run `millpond train`") from None
    changed = feature_list.changes(trained, _of_service(SERVICES[model], [one.name for one in trained]))
    if changed:
        more = f" and {len(changed) - 1} more changed" if len(changed) > 1 else ""
        raise FeaturesChanged(
            f"{model} {folder.name} learnt from other features: {changed[0]}{more}: run `millpond train`"
        )


def _of_service(service: str, names: Sequence[str]) -> dict[str, Feature]:
    """Features of these names that the service has."""
    models = _feature_models()
    return {
        name: _feature(models, view, column)
        for view, node in sorted(models.items())
        if service in node["config"]["meta"]["feast"]["services"]
        for name, column in node["columns"].items()
        if name in names and name not in _keys(node)
    }


def _feature_models() -> Models:
    if not settings.manifest().exists():
        raise NotBuilt(f"no feature models were built in {settings.home()}: run `millpond build` first")
    nodes = json.loads(settings.manifest().read_text())["nodes"].values()
    return {node["name"]: node for node in nodes if "feast" in node["config"]["meta"]}


def _keys(node: dict[str, Any]) -> list[str]:
    keys: list[str] = node["config"]["meta"]["grain"]
    return keys


def _feature(models: Models, view: str, column: dict[str, Any]) -> Feature:
    return Feature(
        name=column["name"],
        view=view,
        type=column["data_type"],
        definition=_hash(models, view, column["name"])[:16],
        unit=column["config"]["meta"].get("unit", ""),
        description=column["description"],
        words=column["config"]["meta"].get("words", ""),
    )


def _hash(models: Models, view: str, column: str) -> str:
    """Of a column's SQL, and of the columns that it reads of other feature models."""
    node = models[view]
    own = definition(_compiled(node), column, _keys(node))
    beneath = [
        _hash(models, parent, name)
        for parent in sorted(own.tables & models.keys())
        for name in sorted(own.names & models[parent]["columns"].keys() - set(_keys(models[parent])))
    ]
    # What a model reads of attributes is decided where they are taken apart, too.
    taken_apart = [READ_AS] if column == ATTRIBUTES else []
    return hashlib.sha256("\n".join([own.text, *beneath, *taken_apart]).encode()).hexdigest()


def _compiled(node: dict[str, Any]) -> str:
    """SQL that the last build ran: the manifest of a step that built less does not hold it."""
    file: Path = settings.manifest().parent / "compiled" / node["package_name"] / node["original_file_path"]
    if not file.exists():
        raise NotBuilt(f"{node['name']} was not compiled in {settings.home()}: run `millpond build` first")
    return file.read_text()
