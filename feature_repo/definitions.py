"""Feast's objects, built from the dbt manifest: a feature is declared once, in models/features."""

import json
import os
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, ValueType
from feast.types import Bool, FeastType, Float64, Int64, String, UnixTimestamp

from feast_lake import LakeSource

TIMESTAMP_FIELD = "observation_date"

ENTITIES = {
    "customer": Entity(
        name="customer",
        join_keys=["customer_id"],
        value_type=ValueType.STRING,
        description="A customer, under the id of marts.customer_keys.",
    ),
    "channel": Entity(
        name="channel",
        join_keys=["channel"],
        value_type=ValueType.STRING,
        description="A channel on which customers are contacted, such as email or post.",
    ),
}

TYPES: dict[str, FeastType] = {
    "double": Float64,
    "bigint": Int64,
    "integer": Int64,
    "boolean": Bool,
    "varchar": String,
    "timestamp": UnixTimestamp,
}


def newest_manifest() -> Path:
    """What dbt last parsed: under the home when `millpond` ran it, in target/ when it ran bare."""
    project = Path(__file__).resolve().parent.parent
    home = Path(os.environ.get("MILLPOND_HOME") or project / ".millpond")
    found = [path for path in (home / "target/manifest.json", project / "target/manifest.json") if path.exists()]
    if not found:
        raise FileNotFoundError("no dbt manifest: run `dbt parse` or `millpond build` first")
    return max(found, key=lambda path: path.stat().st_mtime)


def feature_models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The dbt models that are feature views, by name."""
    nodes = manifest["nodes"].values()
    return sorted((node for node in nodes if "feast" in node["config"]["meta"]), key=lambda node: node["name"])


def feature_view(model: dict[str, Any]) -> FeatureView:
    """One feature view per feature model.

    Raises:
        ValueError: a column without description, or of a type that no feature can have.
    """
    settings = model["config"]["meta"]["feast"]
    entities = [ENTITIES[name] for name in settings["entities"]]
    keys = {entity.join_key for entity in entities} | {TIMESTAMP_FIELD}
    return FeatureView(
        name=model["name"],
        description=model["description"],
        entities=entities,
        ttl=timedelta(days=settings["ttl_days"]),
        schema=[
            *(Field(name=entity.join_key, dtype=String) for entity in entities),
            *(_field(model["name"], column) for name, column in model["columns"].items() if name not in keys),
        ],
        online=settings["online"],
        source=LakeSource(
            name=model["name"],
            table=f"{model['schema']}.{model['alias']}",
            timestamp_field=TIMESTAMP_FIELD,
            description=model["description"],
        ),
    )


def _field(model: str, column: dict[str, Any]) -> Field:
    name, data_type = column["name"], column["data_type"]
    if not column["description"]:
        raise ValueError(f"feature {model}.{name} has no description: add it to the yml beside its model")
    if data_type not in TYPES:
        raise ValueError(f"feature {model}.{name} is {data_type}: cast it to one of {', '.join(TYPES)}")
    unit = column["config"]["meta"].get("unit", "")
    return Field(name=name, dtype=TYPES[data_type], description=column["description"], tags={"unit": unit})


def feature_services(models: list[dict[str, Any]], views: dict[str, FeatureView]) -> list[FeatureService]:
    """One service per name that a feature model lists in meta.feast.services."""
    members: dict[str, list[FeatureView]] = defaultdict(list)
    for model in models:
        for service in model["config"]["meta"]["feast"]["services"]:
            members[service].append(views[model["name"]])
    return [FeatureService(name=name, features=list(members[name])) for name in sorted(members)]


MODELS = feature_models(json.loads(newest_manifest().read_text()))
VIEWS = {model["name"]: feature_view(model) for model in MODELS}

# Feast collects the objects that are attributes of this module.
globals().update(
    {f"{name}_entity": entity for name, entity in ENTITIES.items()}
    | {f"{name}_source": view.batch_source for name, view in VIEWS.items()}
    | {f"{name}_view": view for name, view in VIEWS.items()}
    | {f"{service.name}_service": service for service in feature_services(MODELS, VIEWS)}
)
