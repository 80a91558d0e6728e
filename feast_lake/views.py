"""From Feast's feature views and references to what is read from the lake."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from feast.feature_view import DUMMY_ENTITY_ID, FeatureView

from feast_lake.errors import LakeError
from feast_lake.source import LakeSource
from feast_lake.view_read import ViewRead


def view_reads(
    feature_views: Sequence[FeatureView],
    feature_refs: Sequence[str],
    *,
    on_demand: Collection[str] = (),
    full_feature_names: bool = False,
    known_by_row: bool = False,
) -> dict[str, ViewRead]:
    """What to read from each view.

    Args:
        feature_views: with the projections (alias, join-key map) of this read.
        feature_refs: `<view>:<feature>`, where view is the name or alias in use.
        on_demand: names of on-demand views; their references need no read.
        full_feature_names: answer columns are `<view>__<feature>`.
        known_by_row: see ViewRead.

    Returns:
        Name in use → read, in the order of feature_views.

    Raises:
        LakeError: a reference to an unknown view or feature, or a view that is not in the lake.
    """
    features: dict[str, list[str]] = {view.projection.name_to_use(): [] for view in feature_views}
    for reference in feature_refs:
        view_name, _, feature = reference.partition(":")
        view_name = view_name.removesuffix("@latest")
        if view_name in features:
            features[view_name].append(feature)
        elif view_name not in on_demand:
            raise LakeError(f"Unknown feature view in {reference!r}; known: {', '.join(features)}")
    return {
        name: _read(view, features[name], full_names=full_feature_names, known_by_row=known_by_row)
        for name, view in zip(features, feature_views, strict=True)
        if features[name]
    }


def _read(view: FeatureView, features: Sequence[str], *, full_names: bool, known_by_row: bool) -> ViewRead:
    source = view.batch_source
    if not isinstance(source, LakeSource):
        raise LakeError(f"{view.name} reads a {type(source).__name__}; expected a LakeSource")
    known = {field.name for field in (*view.features, *view.projection.features)}
    for feature in features:
        if feature not in known:
            raise LakeError(f"{view.name} has no feature {feature!r}; it has {', '.join(sorted(known))}")
    to_column = {feature: column for column, feature in source.field_mapping.items()}
    prefix = f"{view.projection.name_alias or view.name}__" if full_names else ""
    created = source.created_timestamp_column
    types = {field.name: field.dtype.to_value_type() for field in view.features}
    return ViewRead(
        relation=source.get_table_query_string(),
        keys=_keys(view, to_column),
        features={f"{prefix}{name}": to_column.get(name, name) for name in features},
        timestamp=to_column.get(source.timestamp_field, source.timestamp_field),
        created=to_column.get(created, created) or None,
        ttl=view.ttl or None,
        known_by_row=known_by_row,
        name=view.name,
        declared={to_column.get(name, name): types[name] for name in features if name in types},
        ranked_by=tuple(to_column.get(name, name) for name in types),
    )


def _keys(view: FeatureView, to_column: dict[str, str]) -> dict[str, str]:
    names = [field.name for field in view.entity_columns if field.name != DUMMY_ENTITY_ID]
    renamed = view.projection.join_key_map
    return {renamed.get(name, name): to_column.get(name, name) for name in names}
