"""What plots of a test are drawn from: outcomes beside predictions, as frames of a few dozen rows."""

from collections.abc import Mapping, Sequence

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.contributions import Contributions, of_response, of_timing
from training.evaluation import bought_within, calibration_curve
from training.ranking import by_score
from training.repurchase_timing import RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel
from training.timing_trees import FEATURES, PERIOD_FEATURES

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SEGMENTS = {"1 purchase day": 1, "2 to 3": 3, "4 to 9": 9, "10 to 24": 24, "25 or more": np.inf}
"""Segments of customers by purchase days so far, and the most that each has."""

PREDICTED, ACTUAL = "predicted", "actual"
POINTS = 100
SHOWN_INPUTS = 12
SHOWN_ROWS = 200


def of_timing_test(
    days_to_next_purchase: Floats, predictions: Mapping[str, Mapping[int, Floats]], purchase_days: Floats, *, model: str
) -> dict[str, pd.DataFrame]:
    """Calibration and survival of the model, and the gain of all within the middle horizon.

    Args:
        predictions: for the model and each baseline: of each horizon in days, shape (n,).
    """
    ours = predictions[model]
    horizons = sorted(ours)
    middle = horizons[len(horizons) // 2]
    outcomes = {day: bought_within(days_to_next_purchase, day) for day in horizons}
    return {
        "calibration": calibration({f"{day} days": (outcomes[day], ours[day]) for day in horizons[::2]}),
        "survival": survival(days_to_next_purchase, ours, purchase_days),
        "gain": gain(outcomes[middle], {who: by_day[middle] for who, by_day in predictions.items()}),
    }


def calibration(panels: Mapping[str, tuple[Flags, Floats]]) -> pd.DataFrame:
    """Tenths by probability: panel, rows, predicted, actual, and the 95 % interval low to high of the actual rate.

    Args:
        panels: outcome and probability, shape (n,) each, by what they are of.

    Source:
        Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    groups = [{"panel": panel, **one} for panel, both in panels.items() for one in calibration_curve(*both)]
    frame = pd.DataFrame(groups)
    n, rate, z2 = frame["rows"], frame["actual"], 1.96**2
    middle = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (rate * (1 - rate) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return frame.assign(low=middle - half, high=middle + half)


def survival(days_to_next_purchase: Floats, probabilities: Mapping[int, Floats], purchase_days: Floats) -> pd.DataFrame:
    """Share of customers who have not bought again, by segment: segment, day, who (predicted or actual), share.

    Args:
        days_to_next_purchase: shape (n,). nan: none within the longest horizon.
        probabilities: of a purchase before each day, shape (n,).
        purchase_days: shape (n,). So far; at least one.
    """
    segment = np.searchsorted(list(SEGMENTS.values()), purchase_days)
    rows = []
    for place, name in enumerate(SEGMENTS):
        members = segment == place
        if not members.any():
            continue
        label = f"{name} ({members.sum():,})"
        rows += [{"segment": label, "day": 0, "who": who, "share": 1.0} for who in (PREDICTED, ACTUAL)]
        for day, probability in probabilities.items():
            actual = bought_within(days_to_next_purchase, day)
            shares = {PREDICTED: probability[members].mean(), ACTUAL: actual[members].mean()}
            rows += [{"segment": label, "day": day, "who": who, "share": 1 - share} for who, share in shares.items()]
    return pd.DataFrame(rows)


def gain(outcome: Floats | Flags, scores: Mapping[str, Floats], *, per_customer: bool = False) -> pd.DataFrame:
    """What those with the highest scores bring: who, taken (share of the rows) and gained.

    Args:
        outcome: shape (n,). Responses, amounts, or estimated gains of contacting.
        scores: shape (n,) each, by whose they are.
        per_customer: gained is the sum of the outcome over n, for outcomes that may add up to 0; else over its total.
    """
    n = len(outcome)
    taken = np.unique(np.linspace(0, n, min(n, POINTS) + 1).astype(int))
    total = n if per_customer else np.sum(outcome)
    frames = []
    for who, score in scores.items():
        so_far = np.concatenate([[0.0], np.cumsum(by_score(score, outcome))])
        frames.append(pd.DataFrame({"who": who, "taken": taken / n, "gained": so_far[taken] / total}))
    return pd.concat(frames, ignore_index=True)


def of_timing_model(model: RepurchaseTimingModel, features: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Importance and contributions, of some of the rows it learnt from; empty: the BG/NBD alone."""
    if model.trees is None:
        return {}
    shown = sampled(features)
    hazard = importance({"hazard": model.trees.hazard_trees}, [*FEATURES, *PERIOD_FEATURES])
    rate = importance({"rate": model.trees.rate_trees}, FEATURES)
    return {
        "importance": pd.concat([hazard, rate], ignore_index=True),
        "contributions": contributions(of_timing(model, shown), shown),
    }


def of_response_model(model: ResponsePropensityModel, inputs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Importance, where the regression has trees upon it, and contributions, of some of the rows it learnt from."""
    shown = sampled(inputs)
    boosters = {"response": model.trees.booster} if model.trees.booster else {}
    return {
        **(of_trees(boosters, list(model.encoding.categories)) if boosters else {}),
        "contributions": contributions(of_response(model, shown), shown),
    }


def of_trees(boosters: Mapping[str, lgb.Booster], inputs: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Importance, of a model that has trees and no log odds."""
    return {"importance": importance(boosters, inputs)}


def importance(boosters: Mapping[str, lgb.Booster], inputs: Sequence[str]) -> pd.DataFrame:
    """Share of the gain of all splits that each input has, the highest first: trees, input, share.

    Args:
        boosters: trees by what they tell.
        inputs: their names, in the order of the columns.
    """
    frames = []
    for name, booster in boosters.items():
        total = booster.feature_importance("gain")
        frame = pd.DataFrame({"trees": name, "input": list(inputs), "share": total / max(total.sum(), 1e-300)})
        frames.append(frame.nlargest(SHOWN_INPUTS, "share"))
    return pd.concat(frames, ignore_index=True)


def contributions(found: Contributions, inputs: pd.DataFrame) -> pd.DataFrame:
    """The inputs that move predictions most, row by row: input, contribution, and height of the value.

    Args:
        found: of the rows of `inputs`.

    Returns:
        height: rank of the value among the rows, from 0 to 1; nan for texts and unknown values. The input that moves
        most comes first.
    """
    moved = found.by_input.abs().mean().nlargest(SHOWN_INPUTS)
    frames = []
    for name in moved.index:
        values = pd.to_numeric(inputs[name], errors="coerce") if name in inputs else pd.Series(np.nan, inputs.index)
        frames.append(
            pd.DataFrame(
                {
                    "input": name,
                    "contribution": found.by_input[name].to_numpy(),
                    "height": values.astype(np.float64).rank(pct=True).to_numpy(),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def sampled(rows: pd.DataFrame) -> pd.DataFrame:
    """About SHOWN_ROWS of the rows, evenly spread: always the same ones."""
    return rows.iloc[:: -(-len(rows) // SHOWN_ROWS)]
