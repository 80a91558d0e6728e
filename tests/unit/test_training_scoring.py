"""One customer at a time gives the numbers of the batch; values become the same whatever stands beside them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from test_training_repurchase_timing import CUT, observed, purchase_histories

from training import customer_value, feature_list, offers, repurchase_timing, response_propensity, uplift
from training.affinity import AFFINITY
from training.attributes import expand_attributes
from training.encoding import Encoding
from training.errors import TrainingError
from training.first_purchase import FirstPurchase
from training.person_periods import HORIZONS
from training.repurchase_timing import FEATURES, HISTORY, LABELS
from training.scoring import Offer, Scorer

INPUTS = list(dict.fromkeys([*FEATURES, *HISTORY]))
MORNING = pd.Timestamp("2024-02-20 09:30")
ATTRIBUTES = ('{"percent": 10, "size": 1}', '{"percent": 5, "size": "large"}', '{"until": "2024-03-01"}', None)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    histories = purchase_histories(300)
    return pd.DataFrame([observed(h, day) for day in range(CUT - 7, 120, -28) for h in histories if h[0] < day])


@pytest.fixture(scope="module")
def offered(customers: pd.DataFrame) -> pd.DataFrame:
    """One offer to each customer; features as a service gives them."""
    random = np.random.default_rng(5)
    frame = customers[INPUTS].reset_index(drop=True)
    choose = {"action_id": ["newsletter", "coupon"], "channel": ["post", "email"], "attributes": ATTRIBUTES}
    frame = frame.assign(
        **{name: random.choice(np.array(known, dtype=object), len(frame)) for name, known in choose.items()}
    )
    frame["customer"] = random.choice(np.array(['{"club": true}', '{"club": false, "tier": "gold"}', None]), len(frame))
    for name in AFFINITY:
        frame[name] = np.where(random.random(len(frame)) < 0.1, np.nan, random.random(len(frame)))
    liked = (
        (frame["action_id"] == "coupon") * 1.0 + (frame["channel"] == "post") * 0.5 + 2 * frame[AFFINITY[0]].fillna(0)
    )
    frame["event_timestamp"] = MORNING - pd.to_timedelta(random.integers(0, 30, len(frame)), unit="h")
    frame["responded"] = random.random(len(frame)) < 1 / (1 + np.exp(2 - liked))
    return frame


def features_of(offered: pd.DataFrame) -> pd.DataFrame:
    return offered[[*INPUTS, "channel"]].assign(attributes=offered["customer"])


@pytest.fixture(scope="module")
def scorer(customers: pd.DataFrame, offered: pd.DataFrame) -> Scorer:
    inputs = offers.with_attributes(features_of(offered), offered)
    response = response_propensity.fit(
        inputs,
        offered["responded"].to_numpy(),
        sent_at=pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(offered)), unit="h")),
        seed=1,
        optional=[name for name in inputs.columns if name.startswith(("offer_", "customer_"))],
    )
    return Scorer(repurchase_timing.fit(customers, customers[list(LABELS)], seed=1), response)


def plain(row: pd.Series) -> dict[str, Any]:
    """As a reader gives features: null is None."""
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def offer(row: pd.Series) -> Offer:
    # A reader gives features, and none of the keys: the channel is that of the offer.
    features = plain(row[list(INPUTS)]) | {"attributes": row["customer"]}
    amount, days = plain(row[list(AFFINITY)]).values()
    return Offer(row["action_id"], row["channel"], features, row["attributes"], (amount, days), row["event_timestamp"])


def test_single_scores_are_those_of_the_batch(scorer: Scorer, customers: pd.DataFrame, offered: pd.DataFrame) -> None:
    timing = scorer.timing.predict(customers, HORIZONS)
    inputs = offers.with_attributes(features_of(offered), offered, scorer.response.encoding.categories)
    response = scorer.response.predict(inputs)
    for row in range(0, len(customers), 40):
        chosen = range(row, min(row + 20, len(offered)))
        single = scorer.score(plain(customers.iloc[row]), [offer(offered.iloc[one]) for one in chosen])
        assert single.timing == pytest.approx(timing.iloc[row].to_dict(), abs=1e-12, nan_ok=True)
        assert single.response == pytest.approx(response[list(chosen)], abs=1e-12)


def test_offers_scored_in_parts_equal_those_of_one_frame(
    scorer: Scorer, offered: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "PART_ROWS", 7)
    features, chosen = features_of(offered).head(50), offered.sample(100, random_state=1).reset_index(drop=True)
    row = np.random.default_rng(1).integers(0, 50, 100)
    categories = scorer.response.encoding.categories
    whole = offers.with_attributes(features.take(row).reset_index(drop=True), chosen, categories)
    asked = offers.Recipients(features, offered["event_timestamp"].head(50), row)
    in_parts = offers.scored(scorer.response.encoding, asked, chosen, scorer.response.scores)
    assert in_parts.shape == (3, 100)
    assert in_parts[0] == pytest.approx(scorer.response.predict(whole), abs=1e-12)


def test_only_an_offer_never_made_has_an_interval(
    scorer: Scorer, customers: pd.DataFrame, offered: pd.DataFrame
) -> None:
    known = offer(offered.iloc[0])
    scores = scorer.score(plain(customers.iloc[0]), [known, known._replace(action_id="never made")])
    assert np.isnan([scores.response_low[0], scores.response_high[0]]).all()
    assert scores.response_low[1] < scores.response[1] < scores.response_high[1]


def test_offer_is_judged_alike_in_any_company(scorer: Scorer, offered: pd.DataFrame) -> None:
    """Alone, size is a number in one offer and a text in another; the model knows it as text."""
    encoding = scorer.response.encoding
    assert "offer_size" in encoding.texts
    whole = scorer.response.predict(offers.with_attributes(features_of(offered), offered, encoding.categories))
    for row in range(20):
        alone = offered.iloc[[row]].reset_index(drop=True)
        inputs = offers.with_attributes(features_of(alone), alone, encoding.categories)
        assert scorer.response.predict(inputs) == pytest.approx(whole[[row]], abs=1e-12)


def test_customer_who_never_bought_has_no_timing(scorer: Scorer, customers: pd.DataFrame) -> None:
    never = dict.fromkeys(plain(customers.iloc[0]))
    assert scorer.score(never, []).timing is None
    assert scorer.score(never, []).response.shape == (0,)


def test_customer_who_never_bought_waits_as_in_a_batch(scorer: Scorer, customers: pd.DataFrame) -> None:
    waiting = replace(scorer.timing, first_purchase=FirstPurchase(0.6, 1.5, 60.0))
    never = dict.fromkeys(plain(customers.iloc[0])) | {"known_days": 30}
    alone = Scorer(waiting, scorer.response).score(never, []).timing
    batch = waiting.predict_first(pd.DataFrame({"known_days": [500, 30]}, index=[7, 9]), HORIZONS)
    assert alone
    assert alone == pytest.approx(batch.loc[9].to_dict(), abs=1e-12, nan_ok=True)
    assert 0 < alone["p_repurchase_7d"] < alone["p_repurchase_90d"] < alone["expected_purchases_90d"]


def test_missing_feature_of_one_customer_is_named(
    scorer: Scorer, customers: pd.DataFrame, offered: pd.DataFrame
) -> None:
    without = plain(customers.iloc[0])
    del without["gap_days_sd"]
    with pytest.raises(TrainingError, match=r"^missing column gap_days_sd; "):
        scorer.score(without, [])
    one = offer(offered.iloc[0])
    shorter = {name: value for name, value in one.features.items() if name != "tenure_days"}
    with pytest.raises(TrainingError, match=r"^missing column tenure_days; "):
        scorer.score(plain(customers.iloc[0]), [one._replace(features=shorter)])


def test_infinite_feature_of_one_customer_is_named(
    scorer: Scorer, customers: pd.DataFrame, offered: pd.DataFrame
) -> None:
    with pytest.raises(TrainingError, match=r"^column gap_days_sd is infinite"):
        scorer.score(plain(customers.iloc[0]) | {"gap_days_sd": np.inf}, [])
    one = offer(offered.iloc[0])
    with pytest.raises(TrainingError, match=r"^column gap_days_sd is infinite"):
        scorer.score(plain(customers.iloc[0]), [one._replace(features={**one.features, "gap_days_sd": -np.inf})])


@pytest.mark.parametrize("value", ["many", [1.0], {}])
def test_feature_of_one_customer_that_is_no_number_is_named(
    scorer: Scorer, customers: pd.DataFrame, value: object
) -> None:
    with pytest.raises(TrainingError, match=r"^column gap_days_sd has type object; expected numbers"):
        scorer.score(plain(customers.iloc[0]) | {"gap_days_sd": value}, [])


def test_null_of_pandas_is_a_null_of_one_customer(scorer: Scorer, customers: pd.DataFrame) -> None:
    one = plain(customers.iloc[0])
    of_null, of_none = (scorer.score(one | {"gap_days_sd": null}, []).timing for null in (pd.NA, None))
    assert of_null == pytest.approx(of_none, abs=0, nan_ok=True)


def test_half_a_history_is_refused_as_in_a_batch(scorer: Scorer, customers: pd.DataFrame) -> None:
    """A customer who has bought is not to be answered as one who never did."""
    known = replace(scorer, timing=replace(scorer.timing, first_purchase=FirstPurchase(0.6, 1.5, 60.0)))
    half = customers.iloc[[0]].assign(recency_days=np.nan)
    with pytest.raises(TrainingError, match=r"^row 0: x=\d+, t_x=nan, ") as batch:
        known.timing.predict(half, HORIZONS)
    with pytest.raises(TrainingError) as single:
        known.score(plain(half.iloc[0]) | {"known_days": 40.0}, [])
    assert str(single.value) == str(batch.value)


def test_customer_of_whom_nothing_is_known_has_no_timing(scorer: Scorer, customers: pd.DataFrame) -> None:
    known = replace(scorer, timing=replace(scorer.timing, first_purchase=FirstPurchase(0.6, 1.5, 60.0)))
    assert known.score(dict.fromkeys([*customers.columns, "known_days"]), []).timing is None


def test_row_is_encoded_as_in_a_frame() -> None:
    encoding = Encoding({"amount": None, "shade": ["1", "True", "red"], "gone": ["x"]}, frozenset({"gone"}))
    rows: list[dict[str, Any]] = [
        {"amount": 2.5, "shade": "red"},
        {"amount": True, "shade": 1},
        {"amount": 7, "shade": True},
        {"amount": None, "shade": None},
        {"amount": "12", "shade": "blue", "gone": "x"},
        {"amount": "a dozen", "shade": float("nan"), "gone": None},
    ]
    frame = pd.DataFrame(rows, dtype=object)
    assert np.array_equal(np.stack([encoding.row(row) for row in rows]), encoding.matrix(frame), equal_nan=True)


def test_kinds_of_attributes_are_those_of_the_model() -> None:
    texts, moments = pd.Series(['{"size": 5, "until": "1970-01-02", "gift": true}']), pd.Series([pd.Timestamp(0)])
    known = {"offer_gift": None, "offer_size": ["5"], "offer_until": None}
    assert expand_attributes(texts, moments, "offer", known).iloc[0].to_dict() == {
        "offer_gift": 1.0,
        "offer_size": "5",
        "offer_until": 1.0,
    }
    strange = expand_attributes(pd.Series(['{"gift": "yes", "news": 1}']), moments, "offer", known)
    assert strange.columns.tolist() == ["offer_gift"]
    assert strange["offer_gift"].isna().all()


def test_date_without_a_moment_to_count_from_is_refused(
    scorer: Scorer, customers: pd.DataFrame, offered: pd.DataFrame
) -> None:
    dated = offer(offered.iloc[0])._replace(attributes='{"until": "2024-03-01"}', sent_at=None)
    timing = plain(customers.iloc[0])
    with pytest.raises(TrainingError, match=r"^offer_until is a date; expected the moment .*: give Scorer.score `at`$"):
        scorer.score(timing, [dated])
    at = MORNING.to_pydatetime()
    given = scorer.score(timing, [dated], at=at).response
    assert given == scorer.score(timing, [dated._replace(sent_at=at)]).response
    assert given != scorer.score(timing, [dated], at=at - timedelta(days=60)).response


@pytest.mark.parametrize("name", [response_propensity.MODEL_FILE, response_propensity.TREES_FILE])
@pytest.mark.parametrize("kept", [None, 0, 100])
def test_damaged_model_is_one_line_and_no_smaller_model(
    scorer: Scorer, tmp_path: Path, name: str, kept: int | None
) -> None:
    """Without its trees, a model would score all the same, and otherwise."""
    response_propensity.save(scorer.response, tmp_path)
    file = tmp_path / name
    whole = file.read_bytes()
    file.unlink()
    if kept is not None:
        file.write_bytes(whole[:kept])
    with pytest.raises(TrainingError, match=rf"(no model at )?{file}(; | is damaged \(.*\); )expected a saved "):
        response_propensity.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["{}", "[]", "null", '{"metadata": {}}', '{"metadata": {"method": ""}, "features": [{}]}']
)
@pytest.mark.parametrize("module", [repurchase_timing, response_propensity, customer_value, uplift, feature_list])
def test_file_that_holds_something_else_than_was_saved_is_one_line(tmp_path: Path, module: Any, text: str) -> None:
    """Such as that of a version of Millpond which kept less."""
    file = tmp_path / (feature_list.FILE if module is feature_list else module.MODEL_FILE)
    file.write_text(text)
    with pytest.raises(TrainingError, match=rf"^{file} is damaged \(.+\); expected a saved model: train it again"):
        (feature_list.read if module is feature_list else module.load)(tmp_path)


@pytest.mark.parametrize(
    "trees", [lambda text: text[: len(text) // 2], lambda text: text.replace("=0.0", "=x", 1), str.upper]
)
def test_changed_trees_are_one_line_and_not_the_end_of_the_process(
    scorer: Scorer, tmp_path: Path, trees: Callable[[str], str]
) -> None:
    """LightGBM aborts where it meets what it did not write, and an application with it."""
    response_propensity.save(scorer.response, tmp_path)
    file = tmp_path / response_propensity.TREES_FILE
    file.write_text(trees(file.read_text()))
    with pytest.raises(TrainingError, match=rf"^{file} is damaged \(its text is not that of its digest\); "):
        response_propensity.load(tmp_path)
