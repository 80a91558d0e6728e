"""Feast's objects, built from the dbt manifest: a feature is declared once, in models/features."""

import json
import os
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService, FeatureView, Field, PushSource, RequestSource, ValueType
from feast.on_demand_feature_view import OnDemandFeatureView, on_demand_feature_view
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
    """One feature view per feature model; meta.feast.push names the source through which single events reach it.

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
        source=_source(model),
    )


def _source(model: dict[str, Any]) -> LakeSource | PushSource:
    table = LakeSource(
        name=model["name"],
        table=f"{model['schema']}.{model['alias']}",
        timestamp_field=TIMESTAMP_FIELD,
        description=model["description"],
    )
    push = model["config"]["meta"]["feast"].get("push")
    return PushSource(name=push, batch_source=table) if push else table


def _field(model: str, column: dict[str, Any]) -> Field:
    name, data_type = column["name"], column["data_type"]
    if not column["description"]:
        raise ValueError(f"feature {model}.{name} has no description: add it to the yml beside its model")
    if data_type not in TYPES:
        raise ValueError(f"feature {model}.{name} is {data_type}: cast it to one of {', '.join(TYPES)}")
    unit = column["config"]["meta"].get("unit", "")
    return Field(name=name, dtype=TYPES[data_type], description=column["description"], tags={"unit": unit})


REAL_TIME = "real_time"

REQUEST_TIME = RequestSource(
    name="request_time",
    schema=[Field(name="request_time", dtype=UnixTimestamp)],
    description="The moment for which is asked; online, now.",
)


def customer_now(inputs: dict[str, Any]) -> dict[str, Any]:
    """What holds at request time. Lists in and out, not single values: Feast's historical reads know only those.

    That nothing happened is said only of a customer who is known, not beyond the ttl: else nobody knows.
    """
    # Feast keeps this function without its module, so it brings along what it uses.
    from datetime import UTC, datetime

    def moment(at: Any) -> datetime | None:
        if at is None or at != at:
            return None
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)

    asked, bought, left = (
        [moment(at) for at in inputs[name]] for name in ("request_time", "last_purchase_at", "last_unsubscribe_at")
    )
    known = [days is not None and days == days for days in inputs["known_days"]]
    days = [(now.date() - at.date()).days if now and at else None for now, at in zip(asked, bought, strict=True)]
    return {
        "days_since_last_purchase_now": days,
        "bought_today": [
            since == 0 if now and (at or is_known) else None
            for now, at, since, is_known in zip(asked, bought, days, known, strict=True)
        ],
        "unsubscribed_now": [
            at is not None if now and (at or is_known) else None
            for now, at, is_known in zip(asked, left, known, strict=True)
        ],
    }


def customer_now_view(views: dict[str, FeatureView]) -> OnDemandFeatureView:
    """The view on demand over the views that events are pushed into; the profile says whether a customer is known."""
    return on_demand_feature_view(
        sources=[
            views["last_purchase"],
            views["last_unsubscribe"],
            views["customer_profile"][["known_days"]],
            REQUEST_TIME,
        ],
        # Without descriptions of their own, for Feast would not find such fields among those that it infers.
        schema=[
            Field(name="days_since_last_purchase_now", dtype=Int64),
            Field(name="bought_today", dtype=Bool),
            Field(name="unsubscribed_now", dtype=Bool),
        ],
        mode="python",
        description=(
            "What holds at request_time; all null without one, and of an unknown customer. "
            "days_since_last_purchase_now: UTC days from the last purchase; null: none. bought_today: the last one "
            "was on that day. unsubscribed_now: an unsubscribe without a later consent is known."
        ),
    )(customer_now)


def feature_services(
    models: list[dict[str, Any]], views: dict[str, FeatureView], on_demand: list[OnDemandFeatureView]
) -> list[FeatureService]:
    """One service per name that a feature model lists in meta.feast.services; views on demand join real_time."""
    members: dict[str, list[FeatureView | OnDemandFeatureView]] = defaultdict(list)
    for model in models:
        for service in model["config"]["meta"]["feast"]["services"]:
            members[service].append(views[model["name"]])
    members[REAL_TIME] += on_demand
    return [FeatureService(name=name, features=list(members[name])) for name in sorted(members)]


MODELS = feature_models(json.loads(newest_manifest().read_text()))
VIEWS = {model["name"]: feature_view(model) for model in MODELS}

# Without the views that it reads, as in a repository that dropped them, there is nothing to say on demand.
ON_DEMAND = (
    [customer_now_view(VIEWS)] if {"last_purchase", "last_unsubscribe", "customer_profile"} <= VIEWS.keys() else []
)

# Feast collects the objects that are attributes of this module.
globals().update(
    {f"{name}_entity": entity for name, entity in ENTITIES.items()}
    | {f"{name}_source": view.batch_source for name, view in VIEWS.items()}
    | {f"{name}_view": view for name, view in VIEWS.items()}
    | {f"{view.name}_view": view for view in ON_DEMAND}
    | {f"{service.name}_service": service for service in feature_services(MODELS, VIEWS, ON_DEMAND)}
)
