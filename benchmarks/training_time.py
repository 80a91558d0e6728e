"""How long the models take to train and to score, and how much memory, beside lifetimes and scikit-survival.

sparse     the world of benchmarks/worlds.py in which the BG/NBD is true: customers buy a few times a year
frequent   its world of cycles: they buy about every two weeks
response   messages of twenty actions to the sparse customers, each about two of ten categories; every customer is then
           scored with both models and all actions, in batches, into the lake; and one customer at a time, as an
           application does

Features come the real path: raw files, dbt, Feast. Sizes are arguments. Writes benchmarks/results/training_time.json.

Beside the project's own packages this needs `pip install scikit-survival`.
"""

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import lifetimes
import machine
import numpy as np
import pandas as pd
import psutil
import survival_ways
import worlds
from duckdb import DuckDBPyConnection
from feast import FeatureStore
from model_homes import DataSet, opened

from millpond import declared_features, lake, scoring, settings
from millpond.learning import attribute_columns
from training import (
    bg_nbd,
    dataset,
    feature_list,
    model_store,
    offers,
    repurchase_timing,
    response_propensity,
    training_rows,
)
from training.columns import numbers
from training.dataset import REPURCHASE_TIMING, RESPONSE_PROPENSITY
from training.repurchase_timing import HISTORY
from training.scoring import Offer, Scorer

CUT, SEED, HORIZONS = worlds.CUT, worlds.SEED, worlds.HORIZONS
N_ACTIONS = 20
N_CATEGORIES = 10
RESPONSE_RATE = 0.08
SINGLE_CALLS = 300


def timed(figures: dict[str, Any], name: str, work: Callable[[], Any]) -> Any:
    """Do it; note the seconds, and the resident memory after it."""
    begin = perf_counter()
    result = work()
    figures[name] = {
        "seconds": round(perf_counter() - begin, 3),
        "resident_mib": round(psutil.Process().memory_info().rss / 2**20),
    }
    return result


def keep(name: str, write: Callable[[Path], None], inputs: Iterable[str]) -> None:
    """Make it the model in use, with the list of its features that scoring asks for."""
    features = declared_features.inputs_of(name, list(inputs))
    model_store.keep(
        settings.models_folder(),
        name,
        as_of=CUT,
        write=write,
        describe=lambda folder, _: feature_list.write(features, folder),
    )


def land_messages(n_customers: int, n_messages: int) -> None:
    """Messages of each action in turn, three days apart, closed before the cut; keen customers answer more often."""
    random = np.random.default_rng(SEED)
    message = np.arange(n_messages)
    # In the ten weeks before the cut every customer has bought.
    sent_at = pd.Timestamp(CUT) - pd.to_timedelta(10 + message % N_ACTIONS * 3, unit="D")
    customer = random.integers(0, n_customers, n_messages)
    key = {"source_system": "world", "message_id": "m" + pd.Series(message).astype(str)}
    campaign = "a" + pd.Series(message % N_ACTIONS).astype(str)
    keenness = 0.5 + (customer % 10) / 10
    responded = random.random(n_messages) < RESPONSE_RATE * keenness
    events = pd.DataFrame({**key, "event_type": "converted", "occurred_at": sent_at + pd.Timedelta(days=2)})
    distinct = campaign.drop_duplicates()
    about = (message % N_ACTIONS)[distinct.index]
    tables = {
        "messages": pd.DataFrame(
            {
                **key,
                "customer_key": "c" + pd.Series(customer).astype(str),
                "campaign_id": campaign,
                "channel": "email",
                "sent_at": sent_at,
            }
        ),
        "events": events[responded],
        "campaigns": pd.DataFrame(
            {
                "source_system": "world",
                "campaign_id": distinct,
                "starts_at": sent_at[distinct.index],
                "ends_at": sent_at[distinct.index] + pd.Timedelta(days=7),
                "product_keys": [
                    f'["p{one % worlds.N_PRODUCTS}", "p{(one + 1) % worlds.N_PRODUCTS}"]' for one in about
                ],
            }
        ),
    }
    products = np.arange(worlds.N_PRODUCTS)
    tables["products"] = pd.DataFrame(
        {
            "source_system": "world",
            "product_key": [f"p{product}" for product in products],
            "category": [f"category {product % N_CATEGORIES}" for product in products],
        }
    )
    for table, frame in tables.items():
        family = "invoices" if table == "products" else "communications"
        folder = settings.raw_folder() / family / table
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / "world.parquet", index=False)


def timing_figures(store: FeatureStore, connection: DuckDBPyConnection, folder: Path) -> dict[str, Any]:
    """Training set, fit and scores of every customer; then both fits of the BG/NBD on the same customers, and other
    survival models on the same rows.
    """
    figures: dict[str, Any] = {}
    rows = timed(figures, "training set", lambda: dataset.repurchase_timing(store, connection, cut=CUT))
    model = timed(figures, "fit", lambda: repurchase_timing.fit(rows.features, rows.labels, seed=SEED))
    newest = rows.features[(rows.labels["follow_up_days"] == 0).to_numpy()]
    timed(figures, "score all", lambda: model.predict(newest, HORIZONS))
    history = numbers(newest, HISTORY).T
    timed(figures, "BG/NBD fit", lambda: bg_nbd.fit(*history))
    timed(figures, "BG/NBD fit of lifetimes", lambda: _fit_lifetimes(*history))
    keep(REPURCHASE_TIMING, lambda to: repurchase_timing.save(model, to), [*repurchase_timing.FEATURES, *HISTORY])
    return {
        "customers": len(newest),
        "training_rows": len(rows.features),
        "method": model.metadata["method"],
        **figures,
        "survival models": survival_ways.tried(rows, folder),
    }


def _fit_lifetimes(*history: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lifetimes.BetaGeoFitter().fit(*history)


def response_figures(store: FeatureStore, connection: DuckDBPyConnection) -> dict[str, Any]:
    """Inputs and fit of the response model, every customer with both models and all actions, and one at a time."""
    figures: dict[str, Any] = {}
    sent = dataset.messages(connection, sent_from=None, cut=CUT)
    inputs = timed(figures, "inputs", lambda: offers.response_inputs(store, sent))
    model = timed(
        figures,
        "fit",
        lambda: response_propensity.fit(
            inputs,
            sent["responded"].to_numpy(dtype=bool),
            sent_at=sent["event_timestamp"],
            seed=SEED,
            optional=attribute_columns(inputs),
        ),
    )
    keep(RESPONSE_PROPENSITY, lambda to: response_propensity.save(model, to), inputs.columns)
    with lake.writing(), lake.connect(read_only=False) as writable:
        _fill_catalogue(writable)
    with lake.writing():
        rows = timed(figures, "score all", lambda: scoring.score(store, as_of=CUT, horizons=HORIZONS))
    learnt = {"messages": int(sent["of_messages"].iloc[0]), "learnt_from": len(sent)}
    return {**learnt, "rows": rows, **figures, "one customer": single_figures(store, connection)}


def _fill_catalogue(connection: DuckDBPyConnection) -> None:
    """The twenty actions that messages carried out."""
    connection.execute("delete from seeds.actions")
    connection.execute(
        f"""
        insert into seeds.actions by name
        select 'a' || n as action_id, 'email' as channel, 10 as value, 0.1 as cost from range({N_ACTIONS}) as actions(n)
        """
    )


def single_figures(store: FeatureStore, connection: DuckDBPyConnection) -> dict[str, float]:
    """Milliseconds for one customer with twenty offers, features in hand."""
    folders = [model_store.current(settings.models_folder(), name) for name in (REPURCHASE_TIMING, RESPONSE_PROPENSITY)]
    scorer = Scorer.load(*(folder for folder in folders if folder))
    customers = training_rows.buyers(connection, [CUT]).head(SINGLE_CALLS)
    timing = dataset.service_features(store, REPURCHASE_TIMING, customers)
    asked = customers.assign(channel="email")
    response = offers.recipients(store, asked).features
    seconds = []
    for row, features in zip(_plain(timing), _plain(response), strict=True):
        offered = [Offer(f"a{n}", "email", features) for n in range(N_ACTIONS)]
        begin = perf_counter()
        scorer.score(row, offered)
        seconds.append(perf_counter() - begin)
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    return {"offers": N_ACTIONS, "p50_milliseconds": round(float(p50), 3), "p99_milliseconds": round(float(p99), 3)}


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a reader gives them: null is None."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sparse", type=int, default=1_000_000, help="customers")
    parser.add_argument("--frequent", type=int, default=100_000, help="customers")
    parser.add_argument("--messages", type=int, default=5_000_000)
    parser.add_argument("--homes", type=Path, help="where homes are built and kept; default: a temporary folder")
    arguments = parser.parse_args()
    before = machine.facts()
    found: dict[str, Any] = {}
    sizes = (arguments.sparse, arguments.frequent)
    with tempfile.TemporaryDirectory(prefix="millpond-training-") as temporary:
        for name, world, size in zip(("sparse", "frequent"), worlds.WORLDS, sizes, strict=True):
            home = (arguments.homes or Path(temporary)) / name

            def land(world: worlds.World = world, size: int = size, has_messages: bool = name == "sparse") -> None:
                worlds.land(world, size)
                if has_messages:
                    land_messages(size, arguments.messages)

            with opened(DataSet(name, worlds.BEGINS, (CUT,)), home, land) as (store, connection):
                found[name] = timing_figures(store, connection, home)
                if name == "sparse":
                    found["response"] = response_figures(store, connection)
    path = machine.write("training_time", {**before, **found})
    print(f"{found}\n{path.name} written")


if __name__ == "__main__":
    main()
