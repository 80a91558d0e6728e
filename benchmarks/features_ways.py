"""The ways of benchmarks/features.py: the same features in each library."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from features_data import AMOUNTS, COUNTS, FEATURES, GAPS, KEYS, VIEWS, WINDOWS, Size, frames
from watching import Read

WAYS = ("millpond", "polars_running", "polars", "pandas", "featuretools")


def reader(folder: Path, way: str, size: Size) -> Read:
    """What computes the features of the first customers in one of the ways, of data that it holds in memory.

    Raises:
        ModuleNotFoundError: the library of the way is not installed.
    """
    return {
        "millpond": _millpond,
        "polars_running": _polars_running,
        "polars": _polars,
        "pandas": _pandas,
        "featuretools": _featuretools,
    }[way](folder, size)


# Millpond: the SQL of its feature models, as dbt compiles it


def _millpond(folder: Path, size: Size) -> Read:
    connection = duckdb.connect()
    connection.execute("set enable_progress_bar = false; attach ':memory:' as lake")
    connection.execute("create schema lake.intermediate; create schema lake.marts")
    first = f"where customer < {size.customers}"
    connection.execute(
        f"""
        create table lake.intermediate.int_purchase_days_versioned as
        select *, 0::decimal(18, 4) as discount_amount, 1::bigint as line_count, purchase_date as known_at,
            null::date as superseded_at, null::timestamp as _built_at
        from '{folder}/purchases.parquet' {first};
        create table lake.marts.customer_observations as from '{folder}/observations.parquet' {first};
        create table lake.intermediate.int_category_purchases_dated
        (customer_id varchar, known_at date, superseded_at date);
        create table lake.intermediate.{GAPS} as {(folder / f"{GAPS}.sql").read_text()};
        """
    )
    purchases, rhythm = ((folder / f"{view}.sql").read_text() for view in VIEWS)
    statement = (
        f"select {', '.join([*KEYS, *FEATURES])} from ({purchases}) inner join ({rhythm}) using ({', '.join(KEYS)})"
    )
    return lambda: connection.execute(statement).to_arrow_table()


# pandas and Polars: every observation with every purchase day before it


def _pandas(folder: Path, size: Size) -> Read:
    purchases, observations = (table.to_pandas() for table in frames(folder, size))
    return lambda: _as_table(pandas_features(purchases, observations))


def pandas_features(purchases: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """KEYS and FEATURES of every observation; purchases and observations as `frames` gives them."""
    pairs = observations.merge(purchases, on="customer_id")
    pairs = pairs[pairs["purchase_date"] < pairs["observation_date"]]
    age_days = (pairs["observation_date"] - pairs["purchase_date"]).dt.days
    sums = {"purchase_days_ever": age_days > 0, "net_amount_ever": pairs["net_amount"]}
    for window in WINDOWS:
        sums[f"purchase_days_past_{window}_days"] = age_days <= window
        sums[f"net_amount_past_{window}_days"] = pairs["net_amount"].where(age_days <= window, 0.0)
    keys, gaps = [pairs[key] for key in KEYS], pairs["gap_days"].groupby([pairs[key] for key in KEYS])
    found = pd.DataFrame(sums).groupby(keys).sum()
    found["tenure_days"] = age_days.groupby(keys).max()
    found["days_since_last_purchase"] = age_days.groupby(keys).min()
    for name, how in (("mean", "mean"), ("sd", "std"), ("max", "max"), ("last", "last")):
        found[f"gap_days_{name}"] = gaps.agg(how)
    return observations.merge(found.reset_index(), on=list(KEYS), how="left").fillna(dict.fromkeys(COUNTS + AMOUNTS, 0))


def _polars(folder: Path, size: Size) -> Read:
    import polars as pl

    purchases, observations = (pl.from_arrow(table).lazy() for table in frames(folder, size))
    age, amount, gap = pl.col("age_days"), pl.col("net_amount"), pl.col("gap_days")
    found = (
        observations.join(purchases, on="customer_id")
        .filter(pl.col("purchase_date") < pl.col("observation_date"))
        .with_columns((pl.col("observation_date") - pl.col("purchase_date")).dt.total_days().alias("age_days"))
        .group_by(KEYS)
        .agg(
            *((age <= window).sum().alias(f"purchase_days_past_{window}_days") for window in WINDOWS),
            *(amount.filter(age <= window).sum().alias(f"net_amount_past_{window}_days") for window in WINDOWS),
            pl.len().alias("purchase_days_ever"),
            amount.sum().alias("net_amount_ever"),
            age.max().alias("tenure_days"),
            age.min().alias("days_since_last_purchase"),
            gap.mean().alias("gap_days_mean"),
            gap.std().alias("gap_days_sd"),
            gap.max().alias("gap_days_max"),
            gap.sort_by("purchase_date").last().alias("gap_days_last"),
        )
    )
    counted = observations.join(found, on=KEYS, how="left").with_columns(pl.col(COUNTS + AMOUNTS).fill_null(0))
    return lambda: counted.select(*KEYS, *FEATURES).collect().to_arrow()


# Polars by hand: running sums, read off before the observation and before each window; only for what can be taken back


def _polars_running(folder: Path, size: Size) -> Read:
    import polars as pl

    purchases, observations = (pl.from_arrow(table) for table in frames(folder, size))

    def read() -> pa.Table:
        running = _running(purchases.lazy())
        now = _before(observations.lazy(), running, days=0).with_columns(pl.col("n", "amount").fill_null(0))
        for window in WINDOWS:
            start = running.select("customer_id", "purchase_date", pl.col("n", "amount").name.suffix("_before"))
            now = _before(now, start, days=window).with_columns(
                (pl.col("n") - pl.col("n_before").fill_null(0)).alias(f"purchase_days_past_{window}_days"),
                (pl.col("amount") - pl.col("amount_before").fill_null(0)).alias(f"net_amount_past_{window}_days"),
            )
            now = now.drop("n_before", "amount_before")
        return now.with_columns(*_read_off()).select(*KEYS, *FEATURES).collect().to_arrow()

    return read


def _read_off() -> list[Any]:
    """Features that follow from the running sums before the observation."""
    import polars as pl

    gaps, gap_sum = pl.col("n") - 1, pl.col("gap_sum")
    squares_around_mean = (pl.col("gap_squares") - gap_sum * gap_sum / gaps).clip(0)
    return [
        pl.col("n").alias("purchase_days_ever"),
        pl.col("amount").alias("net_amount_ever"),
        (pl.col("observation_date") - pl.col("first")).dt.total_days().alias("tenure_days"),
        (pl.col("observation_date") - pl.col("last")).dt.total_days().alias("days_since_last_purchase"),
        pl.when(gaps > 0).then(gap_sum / gaps).alias("gap_days_mean"),
        pl.when(gaps > 1).then((squares_around_mean / (gaps - 1)).sqrt()).alias("gap_days_sd"),
    ]


def _running(purchases: Any) -> Any:
    import polars as pl

    gap = pl.col("gap_days")
    totals = {
        "n": pl.int_range(1, pl.len() + 1),
        "amount": pl.col("net_amount").cum_sum(),
        "gap_sum": gap.fill_null(0).cum_sum(),
        "gap_squares": (gap * gap).fill_null(0).cum_sum(),
        "gap_days_max": gap.cum_max(),
        "first": pl.col("purchase_date").first(),
    }
    return purchases.select(
        "customer_id",
        "purchase_date",
        pl.col("purchase_date").alias("last"),
        gap.alias("gap_days_last"),
        *(total.over("customer_id").alias(name) for name, total in totals.items()),
    )


def _before(observations: Any, running: Any, *, days: int) -> Any:
    """The running sums of all purchase days earlier than so many days before the observation."""
    import polars as pl

    until = (pl.col("observation_date") - pl.duration(days=days)).alias("until")
    return (
        observations.with_columns(until)
        .join_asof(
            running,
            left_on="until",
            right_on="purchase_date",
            by="customer_id",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .drop("until", "purchase_date", strict=False)
    )


# featuretools, with cutoff times


def _featuretools(folder: Path, size: Size) -> Read:
    purchases, observations = (table.to_pandas() for table in frames(folder, size))
    return lambda: _as_table(featuretools_features(purchases, observations))


def featuretools_features(purchases: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    import featuretools as ft
    from featuretools import primitives

    shop = ft.EntitySet("shop")
    customers = observations[["customer_id"]].drop_duplicates()
    shop.add_dataframe(dataframe_name="customers", dataframe=customers, index="customer_id")
    shop.add_dataframe(dataframe_name="purchases", dataframe=purchases, index="purchase_id", time_index="purchase_date")
    shop.add_relationship("customers", "customer_id", "purchases", "customer_id")
    cutoffs = observations.rename(columns={"observation_date": "time"})

    def feature(name: str, column: str, primitive: Any) -> Any:
        base = ft.IdentityFeature(shop["purchases"].ww[column])
        return ft.Feature(base, parent_dataframe_name="customers", primitive=primitive).rename(name)

    def matrix(features: list[Any], window: str | None) -> pd.DataFrame:
        found: pd.DataFrame = ft.calculate_feature_matrix(
            features, shop, cutoffs, training_window=window, include_cutoff_time=False, cutoff_time_in_index=True
        )
        return found

    def totals(window: str) -> list[Any]:
        count = feature(f"purchase_days_{window}", "purchase_id", primitives.Count)
        return [count, feature(f"net_amount_{window}", "net_amount", primitives.Sum)]

    rhythm = [
        feature("tenure_days", "purchase_date", primitives.TimeSinceFirst(unit="days")),
        feature("days_since_last_purchase", "purchase_date", primitives.TimeSinceLast(unit="days")),
        feature("gap_days_mean", "gap_days", primitives.Mean),
        feature("gap_days_sd", "gap_days", primitives.Std),
        feature("gap_days_max", "gap_days", primitives.Max),
        feature("gap_days_last", "gap_days", primitives.Last),
    ]
    # A training window belongs to a whole matrix.
    windows = [matrix(totals(f"past_{window}_days"), f"{window} days") for window in WINDOWS]
    found = pd.concat([matrix([*totals("ever"), *rhythm], None), *windows], axis=1)
    return found.rename_axis(list(KEYS)).reset_index()


def _as_table(found: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(found[[*KEYS, *FEATURES]].reset_index(drop=True), preserve_index=False)
