"""How far each feature is today from the day of training: the population stability index (PSI).

The reference is the observation that a model was trained as of, and not all the history it learnt from: many features
grow with time, and against history they would be far off on the very day of training.

PSI = sum over bins of (now - reference) * ln(now / reference), of shares of rows. Bins are the deciles of the reference
for numbers, the most frequent values for words, and one more for null. A timestamp counts as its age in days. Half a
row is added to each bin on both sides, so that an empty bin counts and does not make the sum infinite.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from duckdb import DuckDBPyConnection
from feast import FeatureStore
from feast.feature_view import FeatureView
from feast.types import Bool, FeastType, String, UnixTimestamp

from feast_lake import LakeSource
from millpond import features, lake, settings
from millpond.errors import ModelNotTrained
from training import model_store, training_rows

THRESHOLD = 0.25
MOST_WORDS = 20

TABLE = """
create schema if not exists measurement;
create table if not exists measurement.feature_drift (
    feature_view varchar,
    feature varchar,
    reference_from date,
    reference_to date,
    observation_date date,
    psi double,
    null_share_reference double,
    null_share_now double,
    is_drifted boolean
)
"""

CUTS = "(select quantile_disc(value, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]) from observed where is_reference)"

# Number of the decile; a value that is a cut lies below it. One that is several cuts, as a constant is, is a bin by
# itself: lower ones are none of it. Where the reference has no value, there is one bin.
BIN_OF_NUMBER = f"""
concat(
    coalesce(len(list_filter({CUTS}, cut -> cut < value)), 0),
    case when len(list_filter({CUTS}, cut -> cut = value)) > 1 then ' is' end
)
"""

# Rarer words are one bin: each by itself would come and go by chance.
BIN_OF_WORD = f"""
case when value in (
    select value from observed where is_reference and value is not null
    group by value order by count(*) desc, value limit {MOST_WORDS}
) then 'is ' || value else 'another' end
"""

# {observed}: a relation with is_reference and value. {bin}: one of the two above.
PSI = """
with observed as ({observed}),

binned as (select is_reference, case when value is null then 'null' else {bin} end as bin from observed),

counted as (
    select count(*) filter (is_reference) as in_reference, count(*) filter (not is_reference) as in_now
    from binned group by bin
),

shares as (
    select
        (in_reference + 0.5) / sum(in_reference + 0.5) over () as reference,
        (in_now + 0.5) / sum(in_now + 0.5) over () as now
    from counted
)

select
    (select sum((now - reference) * ln(now / reference)) from shares) as psi,
    (select avg(cast(value is null as integer)) from observed where is_reference) as null_share_reference,
    (select avg(cast(value is null as integer)) from observed where not is_reference) as null_share_now
"""


class Drift(NamedTuple):
    """One row of measurement.feature_drift; the shares are null where a side has no row."""

    feature_view: str
    feature: str
    reference_from: date
    reference_to: date
    observation_date: date
    psi: float
    null_share_reference: float | None
    null_share_now: float | None
    is_drifted: bool


class Reference(NamedTuple):
    """A view, and the observation date that a model which reads it was trained as of."""

    view: FeatureView
    trained: date


def measure(*, threshold: float, wait_seconds: float, on_view: Callable[[str], None]) -> list[Drift]:
    """Compare the newest observation of each trained feature with that of the training.

    Writes measurement.feature_drift; rows of the same observation date are replaced.

    Args:
        threshold: a feature with a higher PSI is drifted.

    Returns:
        The worst first.

    Raises:
        NotBuilt, ModelNotTrained: there is nothing to compare.
    """
    with lake.writing(wait_seconds):
        with lake.connect() as connection:
            found = list(_measured(features.published_store(), connection, threshold, on_view))
        with lake.connect(read_only=False) as connection:
            connection.begin()
            connection.execute(TABLE)
            connection.execute(
                "delete from measurement.feature_drift where observation_date >= $1", [found[0].observation_date]
            )
            connection.executemany(f"insert into measurement.feature_drift values ({', '.join('?' * 9)})", found)
            connection.commit()
    return sorted(found, key=lambda row: (-row.psi, row.feature_view, row.feature))


def _measured(
    store: FeatureStore, connection: DuckDBPyConnection, threshold: float, on_view: Callable[[str], None]
) -> Iterator[Drift]:
    observed = training_rows.observation_dates(connection)
    for view, trained in _references(store, observed):
        for field in view.features:
            rows = _observed_sql(view, field.name, field.dtype, trained=trained, now=observed[-1])
            is_word = field.dtype in (String, Bool)
            psi, nulls_then, nulls_now = connection.execute(psi_sql(rows, is_word=is_word)).fetchall()[0]
            when = (trained, trained, observed[-1])
            yield Drift(view.name, field.name, *when, psi, nulls_then, nulls_now, psi > threshold)
        on_view(view.name)


def psi_sql(observed: str, *, is_word: bool) -> str:
    """One row: psi, null_share_reference, null_share_now.

    Args:
        observed: a select of is_reference (the day of training; else now) and value (text or double).
        is_word: bins are values, not deciles.
    """
    return PSI.format(observed=observed, bin=BIN_OF_WORD if is_word else BIN_OF_NUMBER)


def _references(store: FeatureStore, observed: Sequence[date]) -> list[Reference]:
    """The views of the current models with the date that each was trained as of; once where models share both."""
    found: dict[tuple[str, date], Reference] = {}
    # A model reads the feature service that bears its name.
    for service in sorted(store.list_feature_services(), key=lambda one: one.name):
        folder = model_store.usable(settings.models_folder(), service.name)
        dates = [one for one in observed if one <= model_store.as_of(folder.name)] if folder else []
        for projection in service.feature_view_projections if dates else ():
            found[projection.name, dates[-1]] = Reference(store.get_feature_view(projection.name), dates[-1])
    if not found:
        raise ModelNotTrained("no model in use has learnt from observations of this lake: run `millpond train` first")
    return list(found.values())


def _observed_sql(view: FeatureView, feature: str, dtype: FeastType, *, trained: date, now: date) -> str:
    source = view.batch_source
    if not isinstance(source, LakeSource):
        raise TypeError(f"view {view.name} is not in the lake")
    value = f"cast({feature} as {'varchar' if dtype in (String, Bool) else 'double'})"
    if dtype == UnixTimestamp:
        value = f"cast(date_diff('day', {feature}, {source.timestamp_field}) as double)"
    rows = f"select {value} as value, {{}} as is_reference from {source.table} where {source.timestamp_field}"
    return f"{rows.format(True)} = date '{trained}' union all {rows.format(False)} = date '{now}'"
