"""Predictions taken apart, and told in words."""

import string

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.settings import PROJECT
from training import contributions, reasons, repurchase_timing, response_propensity
from training.contributions import Contributions
from training.errors import TrainingError
from training.feature_list import Feature
from training.person_periods import BIN_EDGES
from training.repurchase_timing import FEATURES, HISTORY, RepurchaseTimingModel
from training.response_propensity import ResponsePropensityModel

CUSTOMERS = 3000
SOME_ROWS = st.lists(st.integers(0, CUSTOMERS - 1), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    """Features as of a day; a tenth of the customers bought once, so that their gaps are unknown."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({name: random.gamma(2, 5, CUSTOMERS).round(1) for name in (*FEATURES, *HISTORY)})
    frame["frequency"] = frame["frequency"].round()
    frame["tenure_days"] = frame["recency_days"] + frame["days_since_last_purchase"]
    gaps = [name for name in FEATURES if "gap" in name]
    frame.loc[random.random(CUSTOMERS) < 0.1, gaps] = np.nan
    return frame


@pytest.fixture(scope="module")
def timing(customers: pd.DataFrame) -> RepurchaseTimingModel:
    """Those who bought long ago wait longer."""
    days = np.random.default_rng(6).exponential(5 + 2 * customers["days_since_last_purchase"]).round()
    labels = pd.DataFrame({"days_to_next_purchase": np.where(days < 90, days, np.nan), "follow_up_days": 90.0})
    return repurchase_timing.fit(customers, labels.assign(purchase_days_in_window=days < 90), seed=1)


@pytest.fixture(scope="module")
def messages() -> pd.DataFrame:
    random = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "channel": random.choice(["email", "phone"], CUSTOMERS),
            "loyalty": np.where(random.random(CUSTOMERS) < 0.1, np.nan, random.exponential(2.0, CUSTOMERS)),
            "action_id": random.choice(["letter", "offer"], CUSTOMERS),
        }
    )


@pytest.fixture(scope="module")
def response(messages: pd.DataFrame) -> ResponsePropensityModel:
    """Phone calls and loyal customers are answered."""
    odds = np.exp(np.where(messages["channel"] == "phone", 0.5, -2) + np.log1p(messages["loyalty"].fillna(0)))
    responded = np.random.default_rng(4).random(CUSTOMERS) < odds / (1 + odds)
    sent_at = pd.Series(pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(CUSTOMERS) // 100, unit="D"))
    return response_propensity.fit(messages, responded.to_numpy(), sent_at=sent_at, seed=1)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.integers(0, CUSTOMERS - 1), min_size=1, max_size=20), unseen=st.sampled_from(["email", "pigeon"])
)
def test_contributions_to_a_response_add_up_to_its_log_odds(
    messages: pd.DataFrame, response: ResponsePropensityModel, rows: list[int], unseen: str
) -> None:
    inputs = messages.iloc[rows].assign(channel=unseen)
    probability = response.predict(inputs)
    found = contributions.of_response(response, inputs)
    assert found.log_odds == pytest.approx(np.log(probability / (1 - probability)), abs=1e-6)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=SOME_ROWS, bins=st.integers(1, len(BIN_EDGES) - 1))
def test_contributions_to_timing_add_up_to_the_mean_log_odds_of_the_hazards(
    customers: pd.DataFrame, timing: RepurchaseTimingModel, rows: list[int], bins: int
) -> None:
    features = customers.iloc[rows]
    edges = BIN_EDGES[: bins + 1]
    none = 1 - timing.predict(features, edges[1:])[[f"p_repurchase_{day}d" for day in edges[1:]]].to_numpy()
    hazard = 1 - none / np.hstack([np.ones((len(rows), 1)), none[:, :-1]])
    found = contributions.of_timing(timing, features, horizon=edges[-1])
    assert found.log_odds == pytest.approx(np.log(hazard / (1 - hazard)).mean(axis=1), abs=1e-6)


def test_what_drives_an_outcome_is_its_first_reason(
    customers: pd.DataFrame, timing: RepurchaseTimingModel, messages: pd.DataFrame, response: ResponsePropensityModel
) -> None:
    waits = reasons.of_timing(timing, customers, 1, declared=[])
    assert (waits["inputs"] == "days_since_last_purchase").mean() > 0.5
    answers = reasons.of_response(response, messages, 1, declared=[])
    assert (answers["inputs"] == "channel").mean() > 0.5
    by_phone = answers[answers["inputs"] == "channel"].set_index("row")["contribution"]
    assert ((by_phone > 0) == (messages["channel"] == "phone")[by_phone.index]).all()


def test_model_without_trees_has_no_contributions(timing: RepurchaseTimingModel, customers: pd.DataFrame) -> None:
    alone = RepurchaseTimingModel(timing.bg_nbd, None, timing.metadata)
    with pytest.raises(TrainingError, match=r"^the BG/NBD alone has no contributions; "):
        contributions.of_timing(alone, customers)


OFTEN = "bought {since} days ago, usually every {gap}"
DECLARED = [
    Feature("since", "rhythm", "bigint", "", "days", "Days since the last purchase; null: none yet.", OFTEN),
    Feature("gap", "rhythm", "double", "", "days", "Mean gap; null: fewer than two purchases.", OFTEN),
    Feature("discount", "purchases", "double", "", "share", "Share of discounts; null: nothing bought."),
]


def one(**contribution: float) -> Contributions:
    return Contributions(np.zeros(1), pd.DataFrame({name: [value] for name, value in contribution.items()}))


def test_features_told_in_the_same_words_are_one_reason() -> None:
    inputs = pd.DataFrame({"since": [12], "gap": [9.04], "discount": [0.251], "offer_percent": [10.0]})
    found = one(since=-2.0, gap=1.5, discount=0.75, offer_percent=-0.25)
    told = reasons.reasons(found, inputs, 3, declared=DECLARED)
    assert told.to_dict("list") == {
        "row": [0, 0, 0],
        "rank": [1, 2, 3],
        "inputs": ["discount", "since, gap", "offer_percent"],
        "contribution": [0.75, -0.5, -0.25],
        "text": ["share of discounts: 25%", "bought 12 days ago, usually every 9.0", "offer percent: 10"],
    }


def test_value_that_is_unknown_leaves_the_description() -> None:
    inputs = pd.DataFrame({"since": [1], "gap": [np.nan], "discount": [np.nan]})
    told = reasons.reasons(one(since=1.0, gap=0.5, discount=0.25), inputs, 5, declared=DECLARED)
    assert told["text"].tolist() == ["days since the last purchase: 1 day", "share of discounts: unknown"]


def test_words_of_features_name_features_that_stand_beside_them() -> None:
    models = [
        model
        for file in sorted((PROJECT / "models/features").glob("_*__models.yml"))
        for model in yaml.safe_load(file.read_text()).get("models", [])
    ]
    services: dict[str, set[str]] = {}
    for model in models:
        for column in model["columns"]:
            services.setdefault(column["name"], set()).update(model["config"]["meta"]["feast"]["services"])
    told = [
        (column["name"], field)
        for model in models
        for column in model["columns"]
        for _, field, _, _ in string.Formatter().parse(column.get("config", {}).get("meta", {}).get("words", ""))
        if field
    ]
    assert told
    # Where a service lacks a field, as that of timing lacks messages, no model of it reads the feature.
    assert [pair for pair in told if not services[pair[0]] & services.get(pair[1], set())] == []
