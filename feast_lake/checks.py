"""What can be said of entity rows before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.value_type import ValueType

from feast_lake.entities import EntityRows
from feast_lake.errors import LakeError
from feast_lake.view_read import ViewRead


def check(rows: EntityRows, views: Mapping[str, ViewRead]) -> None:
    """Refuse rows that lack a key, or have a column named as a feature.

    Args:
        views: name in use → what is read of it.

    Raises:
        LakeError: names the column.
    """
    for name, view in views.items():
        rows.require(view.keys, view=name)
        _check_names(rows, name, view.features)


def check_on_demand(
    rows: EntityRows, view: OnDemandFeatureView, feature_refs: Iterable[str], *, full_feature_names: bool
) -> None:
    """The same for a view on demand: Feast looks only at frames for what it asks of the caller, and not at its type.

    Raises:
        LakeError: names the column.
    """
    for name, kind in view.get_request_data_schema().items():
        if name not in rows.schema.names:
            raise LakeError(f"entity_df has no column {name!r}, which {view.name} computes with")
        found = rows.schema.field(name).type
        if kind == ValueType.UNIX_TIMESTAMP and not (pa.types.is_timestamp(found) or pa.types.is_null(found)):
            raise LakeError(f"Column {name!r} of entity_df is {found}; {view.name} computes with a timestamp")
    used = view.projection.name_to_use()
    asked = [feature for one, _, feature in (reference.partition(":") for reference in feature_refs) if one == used]
    _check_names(rows, view.name, [f"{used}__{feature}" for feature in asked] if full_feature_names else asked)


def _check_names(rows: EntityRows, view: str, features: Iterable[str]) -> None:
    taken = {column.lower() for column in rows.schema.names}
    for feature in features:
        if feature.lower() in taken:
            raise LakeError(
                f"entity_df already has a column {feature!r}, a feature of {view}; "
                "rename it, or ask for full_feature_names=True"
            )
