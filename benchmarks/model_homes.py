"""Homes for benchmarks of models: data sets landed, built and registered with Feast, for training sets of the past."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection
from feast import FeatureStore

from millpond import dbt, features, lake, pipeline
from training.training_rows import DAYS_BEFORE_CUT, DAYS_BETWEEN_ROWS


@dataclass(frozen=True)
class DataSet:
    """A known data set and the dates its models are tested on.

    Attributes:
        begins: its first day.
        cuts: test dates, each with 90 days of purchases behind it.
    """

    name: str
    begins: date
    cuts: tuple[date, ...]


DATA_SETS = (
    DataSet("complete_journey", date(2017, 1, 1), (date(2017, 7, 1), date(2017, 8, 15), date(2017, 10, 1))),
    DataSet("cdnow", date(1997, 1, 1), (date(1997, 10, 1), date(1998, 1, 1), date(1998, 4, 1))),
    # 90 days before its last whole day, then 60 days apart: chosen before any model saw them.
    DataSet("online_retail", date(2010, 12, 1), (date(2011, 5, 13), date(2011, 7, 12), date(2011, 9, 10))),
)


def observation_dates(data: DataSet) -> list[date]:
    """Dates that training sets of the cuts need: each cut, and every 28 days back from 7 days before it."""
    wanted = set(data.cuts)
    for cut in data.cuts:
        observed = cut - timedelta(days=DAYS_BEFORE_CUT)
        while observed > data.begins:
            wanted.add(observed)
            observed -= timedelta(days=DAYS_BETWEEN_ROWS)
    return sorted(wanted)


@contextmanager
def opened(data: DataSet, home: Path, land: Callable[[], object]) -> Iterator[tuple[FeatureStore, DuckDBPyConnection]]:
    """The feature store and the lake of a data set; landed by `land` and built if `home` was not built before."""
    os.environ["MILLPOND_HOME"] = str(home)
    if not (home / "registry.db").exists():
        land()
        _build(data)
    with lake.connect() as connection:
        yield features.published_store(), connection


def _build(data: DataSet) -> None:
    # Weeks between the dates asked for would be computed and never read.
    dates = [one.isoformat() for one in observation_dates(data)]
    variables = {"observation_cadence": "month", "observation_dates": dates}
    with lake.writing():
        dbt.build("--exclude", "decisions", variables=variables, on_node=pipeline.nothing)
    with lake.writing():
        features.apply(features.store())
