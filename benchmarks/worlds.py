"""How far the timing model stays behind the truth, in two made-up worlds whose truth is known.

poisson    the BG/NBD is exactly true: purchases at random at each customer's own rate; she may leave after a repeat one
erlang_3   the same, but purchases come in cycles: the time between two is the sum of three such waits

The oracle knows the world and its parameters, sees the same history, and gives the exact probability of a purchase: no
model can have a lower log loss but by chance. Features come the real path: raw files, dbt, Feast. Writes
benchmarks/results/worlds.json.
"""

import argparse
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import machine
import numpy as np
import pandas as pd
from model_homes import DataSet, opened
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from millpond import settings
from training import bg_nbd, dataset, evaluation, repurchase_timing, training_rows
from training.columns import numbers
from training.repurchase_timing import HISTORY

Floats = NDArray[np.float64]

HORIZONS = (7, 14, 30, 60, 90)
SEED = 1
BEGINS = date(2021, 1, 1)
ENTRY_DAYS = 84
CUT = BEGINS + timedelta(days=280)
LAST_DAY = 280 + HORIZONS[-1]
N_PRODUCTS = 20


@dataclass(frozen=True)
class World:
    """Waits are gamma(`waits`) with rates gamma(r, alpha) among customers, in days; leaving is beta(a, b)."""

    name: str
    waits: int
    r: float
    alpha: float
    a: float
    b: float


# The first has the parameters published for CDNOW, in days; in the second customers buy every two weeks or so.
WORLDS = (
    World("poisson", 1, r=0.243, alpha=4.414 * 7, a=0.793, b=2.426),
    World("erlang_3", 3, r=4.0, alpha=20.0, a=0.8, b=6.0),
)


def purchases(world: World, n_customers: int, seed: int) -> pd.DataFrame:
    """Every purchase before the end of the world: customer and day, both from 0."""
    random = np.random.default_rng(seed)
    rate = random.gamma(world.r, 1 / world.alpha, size=n_customers)
    leaves = random.beta(world.a, world.b, size=n_customers)
    customer, moment = np.arange(n_customers), random.random(n_customers) * ENTRY_DAYS
    found = []
    is_first = True
    while len(customer):
        found.append(pd.DataFrame({"customer": customer, "day": np.floor(moment).astype(int)}))
        stays = is_first | (random.random(len(customer)) >= leaves[customer])
        customer, moment, is_first = customer[stays], moment[stays], False
        moment = moment + random.gamma(world.waits, 1 / rate[customer])
        goes_on = moment < LAST_DAY
        customer, moment = customer[goes_on], moment[goes_on]
    return pd.concat(found, ignore_index=True).drop_duplicates()


def land(world: World, n_customers: int) -> None:
    """Purchases as raw invoices of one line."""
    rows = purchases(world, n_customers, SEED)
    invoice_id = "i" + rows["customer"].astype(str) + "-" + rows["day"].astype(str)
    key = {"source_system": "world", "invoice_id": invoice_id}
    invoiced_at = pd.Timestamp(BEGINS) + pd.to_timedelta(rows["day"], unit="D") + pd.Timedelta(hours=12)
    customer_key = "c" + rows["customer"].astype(str)
    tables = {
        "invoices": pd.DataFrame({**key, "invoiced_at": invoiced_at, "customer_key": customer_key}),
        "lines": pd.DataFrame(
            {
                **key,
                "line_no": 1,
                "product_key": "p" + (rows["day"] % N_PRODUCTS).astype(str),
                "quantity": 1.0,
                "net_amount": 10.0,
            }
        ),
    }
    for table, frame in tables.items():
        folder = settings.raw_folder() / "invoices" / table
        folder.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / "world.parquet", index=False)


def oracle(world: World, x: Floats, t_x: Floats, tenure: Floats, horizon: int) -> Floats:
    """Exact probability of a purchase within the horizon, given the history; shape (n,).

    With `waits` 1 it is the BG/NBD. Rates are integrated out: each term is a gamma integral.
    """
    log_left = np.where(
        x > 0,
        np.log(world.a) - np.log(world.b + np.maximum(x, 1) - 1) + _log_none_since(world, x, t_x, t_x),
        -np.inf,
    )
    log_now = _log_none_since(world, x, t_x, tenure)
    log_later = _log_none_since(world, x, t_x, tenure + horizon)
    return np.asarray((np.exp(log_now) - np.exp(log_later)) / (np.exp(log_now) + np.exp(log_left)))


def _log_none_since(world: World, x: Floats, t_x: Floats, until: Floats) -> Floats:
    """Log likelihood, but for constants, of the history and of no purchase from the last one `until`, while alive."""
    shape, since = world.r + world.waits * x, until - t_x
    with np.errstate(divide="ignore"):
        terms = [
            gammaln(shape + k)
            - gammaln(shape)
            - gammaln(k + 1)
            + (k * np.log(since) if k else 0.0)
            - (shape + k) * np.log(world.alpha + until)
            # A common factor of all terms keeps powers of frequent buyers in range.
            + shape * np.log(world.alpha + t_x)
            for k in range(world.waits)
        ]
    return np.asarray(logsumexp(terms, axis=0))


def measured(world: World, home: Path, n_customers: int) -> dict[str, Any]:
    """Log loss of the model, the BG/NBD and the oracle on one date, and how much above the oracle's they are."""
    data = DataSet(world.name, BEGINS, (CUT,))
    with opened(data, home, lambda: land(world, n_customers)) as (store, lake):
        train = dataset.repurchase_timing(store, lake, cut=CUT)
        customers = training_rows.buyers(lake, [CUT])
        features = dataset.service_features(store, dataset.REPURCHASE_TIMING, customers)
        labels = dataset.repurchase_labels(lake, customers, CUT + timedelta(days=HORIZONS[-1]))
    model = repurchase_timing.fit(train.features, train.labels, seed=SEED)
    x, t_x, tenure = numbers(features, HISTORY).T
    scores = model.predict(features, HORIZONS)
    predicted = {
        "oracle": {h: oracle(world, x, t_x, tenure, h) for h in HORIZONS},
        "repurchase_timing": {h: scores[f"p_repurchase_{h}d"].to_numpy() for h in HORIZONS},
        "BG/NBD": {h: bg_nbd.probability_of_purchase(model.bg_nbd, x, t_x, tenure, h) for h in HORIZONS},
    }
    days = numbers(labels, ["days_to_next_purchase"])[:, 0]
    losses = {who: evaluation.mean_log_losses(days, p) for who, p in predicted.items()}
    excess = {who: evaluation.relative_gain(loss, losses["oracle"], seed=SEED) for who, loss in losses.items()}
    return {
        "customers": len(customers),
        "training_rows": len(train.features),
        "log_loss": {who: float(loss.mean()) for who, loss in losses.items()},
        "excess_over_oracle": {
            who: {"estimate": -gain.estimate, "low": -gain.high, "high": -gain.low}
            for who, gain in excess.items()
            if who != "oracle"
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--homes", type=Path, help="where homes are built and kept; default: a temporary folder")
    arguments = parser.parse_args()
    before = machine.facts()
    with tempfile.TemporaryDirectory(prefix="millpond-worlds-") as temporary:
        homes = arguments.homes or Path(temporary)
        found = {world.name: measured(world, homes / world.name, arguments.customers) for world in WORLDS}
    path = machine.write("worlds", {**before, "horizons": HORIZONS, "worlds": found})
    print(f"{found}\n{path.name} written")


if __name__ == "__main__":
    main()
