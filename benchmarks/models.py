"""How well the timing model predicts, beside classical models, on three public data sets, out of time.

For each test date: features through the Feast services as of dates before it, labels that end at it, every model fitted
once on the same rows, then every customer predicted and compared with what the next 90 days brought. Nothing is tuned:
the recipe is the package's. Writes benchmarks/results/models.json and the leaderboard in docs/models.md.

Online Retail is in no package: name the folder that `millpond land online_retail` takes, or it is left out.
"""

import argparse
import tempfile
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from feast import FeatureStore
from model_homes import DATA_SETS, DataSet, opened
from models_page import write_leaderboard
from numpy.typing import NDArray

from millpond import landing
from training import (
    baselines,
    bg_nbd,
    dataset,
    evaluation,
    mbg_nbd,
    pareto_nbd,
    repurchase_timing,
    survival_metrics,
    training_rows,
)
from training.baselines import Baseline
from training.columns import numbers
from training.dataset import TrainingSet

Floats = NDArray[np.float64]

HORIZONS = (7, 14, 30, 60, 90)
CURVE_DAYS = tuple(range(3, 91, 3))
LONGEST = HORIZONS[-1]
CURVE_HORIZON = 30
SEED = 1
MODEL = "repurchase_timing"


def fitted_models(train: TrainingSet) -> dict[str, Baseline]:
    """Every contender, by name, fitted on the same rows."""
    model = repurchase_timing.fit(train.features, train.labels, seed=SEED)
    if model.trees is None:
        raise SystemExit(f"{model.metadata['method']}: this is no test of the recipe")
    return {
        MODEL: baselines.timing_model(model),
        "linear hazard": baselines.linear_hazard(model),
        "Cox": baselines.cox_regression(train),
        "Pareto/NBD": baselines.buy_till_you_die(pareto_nbd, train),
        "MBG/NBD": baselines.buy_till_you_die(mbg_nbd, train),
        "BG/NBD": baselines.buy_till_you_die(bg_nbd, train),
        "RFM logistic": baselines.logistic(train, baselines.RFM, HORIZONS),
        "frequency": baselines.logistic(train, baselines.FREQUENCY, HORIZONS),
        "last year's rate": baselines.last_years_rate(),
    }


def tested(store: FeatureStore, lake: DuckDBPyConnection, cut: date) -> dict[str, Any]:
    """Figures of one test date, and the losses of each customer for intervals."""
    train = dataset.repurchase_timing(store, lake, cut=cut)
    customers = training_rows.buyers(lake, [cut])
    features = dataset.service_features(store, dataset.REPURCHASE_TIMING, customers)
    labels = dataset.repurchase_labels(lake, customers, cut + timedelta(days=LONGEST))
    contenders = fitted_models(train)
    predicted = {who: {h: one.probability(features, h) for h in HORIZONS} for who, one in contenders.items()}
    days = numbers(labels, ["days_to_next_purchase"])[:, 0]
    return {
        "customers": len(customers),
        "training_rows": len(train.features),
        "figures": {who: figures(one, features, labels, predicted[who]) for who, one in contenders.items()},
        "curve": evaluation.calibration_curve(days < CURVE_HORIZON, predicted[MODEL][CURVE_HORIZON]),
        "losses": pd.DataFrame({who: evaluation.mean_log_losses(days, p) for who, p in predicted.items()}).assign(
            customer_id=customers["customer_id"]
        ),
    }


def figures(
    one: Baseline, features: pd.DataFrame, labels: pd.DataFrame, predicted: Mapping[int, Floats]
) -> dict[str, dict[str, float]]:
    """All figures of one model on one date: per horizon, their mean, of the whole curve, and of counts."""
    days, follow_up, count = numbers(labels, repurchase_timing.LABELS).T
    found = evaluation.timing_metrics(days, predicted)
    # In a follow-up of the same length for all, who buys sooner is who has more chance in it.
    whole = {"concordance": evaluation.concordance(days, np.mean(list(predicted.values()), axis=0))}
    if one.has_curve:
        curve = {day: one.probability(features, day) for day in CURVE_DAYS}
        whole["integrated_brier"] = survival_metrics.integrated_brier(days, follow_up, curve)
    counts = (
        evaluation.count_metrics(count, one.expected_purchases(features, LONGEST)) if one.expected_purchases else {}
    )
    return {**found, "curve": whole, f"purchases_{LONGEST}d": counts}


def measured(data: DataSet, home: Path, source: Path | None) -> dict[str, Any]:
    """All test dates of one data set, their mean, and gains with intervals over customers."""
    by_date = {}
    with opened(data, home, lambda: landing.land(data.name, source)) as (store, lake):
        for cut in data.cuts:
            begin = perf_counter()
            by_date[cut.isoformat()] = tested(store, lake, cut)
            print(f"{data.name} {cut}: {perf_counter() - begin:.0f} s", flush=True)
    losses = {cut: found.pop("losses") for cut, found in by_date.items()}
    together = pd.concat(losses.values())
    return {
        "dates": {cut: {**found, "gains": gains(losses[cut])} for cut, found in by_date.items()},
        "mean": mean_figures([found["figures"] for found in by_date.values()]),
        "gains": gains(together),
        "log_loss": {
            who: evaluation.mean_interval(
                together[who].to_numpy(), seed=SEED, customers=together["customer_id"].tolist()
            )
            for who in together.columns.drop("customer_id")
        },
    }


def gains(losses: pd.DataFrame) -> dict[str, evaluation.Interval]:
    """By which share the model's log loss is below that of each other; paired, over customers with all their dates."""
    return {
        who: evaluation.relative_gain(
            losses[MODEL].to_numpy(), losses[who].to_numpy(), seed=SEED, customers=losses["customer_id"].tolist()
        )
        for who in losses.columns.drop([MODEL, "customer_id"])
    }


def mean_figures(dates: list[dict[str, dict[str, dict[str, float]]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean over the test dates of every figure of every model."""
    return {
        who: {
            group: {name: float(np.mean([one[who][group][name] for one in dates])) for name in names}
            for group, names in groups.items()
        }
        for who, groups in dates[0].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--online-retail", type=Path, help="folder of its files; without it the data set is left out")
    parser.add_argument("--homes", type=Path, help="where homes are built and kept; default: a temporary folder")
    arguments = parser.parse_args()
    before = machine.facts()
    sources = {"online_retail": arguments.online_retail}
    with tempfile.TemporaryDirectory(prefix="millpond-models-") as temporary:
        homes = arguments.homes or Path(temporary)
        found = {
            data.name: measured(data, homes / data.name, sources.get(data.name))
            for data in DATA_SETS
            if data.name not in sources or sources[data.name]
        }
    path = machine.write("models", {**before, "horizons": HORIZONS, "data_sets": found})
    print(f"{path.name} and {write_leaderboard(path).name} written")


if __name__ == "__main__":
    main()
