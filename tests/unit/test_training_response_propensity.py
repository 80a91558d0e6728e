"""Response propensity: what it learns, unseen texts, calibration, attributes, saving, messages."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from training import response_propensity
from training.attributes import MAXIMUM_KEYS, expand_attributes, postponed
from training.calibration import IDENTITY, fit_line
from training.encoding import MAXIMUM_TEXTS, MINIMUM_SEEN, learn_encoding
from training.errors import TrainingError
from training.level import compare
from training.linear_inputs import learn_linear_inputs
from training.response_propensity import ResponsePropensityModel, at_level, newest_window
from training.untried import PRIOR_SD, Spread, between_groups

CHANNEL_LOG_ODDS = {"email": -2.0, "phone": 0.0}
ACTION_LOG_ODDS = {"newsletter": -1.0, "offer": 1.5}
NEWEST = "2024-03-23"
MORNINGS = pd.Series(pd.to_datetime(["2024-03-01", "2024-03-02"]))


@pytest.fixture(scope="module")
def messages() -> pd.DataFrame:
    """3,000 messages over 30 days, most newsletters; their log odds add up channel, action and loyalty."""
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "channel": random.choice(list(CHANNEL_LOG_ODDS), 3000),
            "action_id": random.choice(list(ACTION_LOG_ODDS), 3000, p=[0.85, 0.15]),
            "loyalty": random.exponential(2.0, 3000),
            "noise": random.normal(size=3000),
            "offer_percent": random.choice([5.0, 10.0], 3000),
            "sent_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(3000) // 100, unit="D"),
        }
    )
    log_odds = frame["channel"].map(CHANNEL_LOG_ODDS) + frame["action_id"].map(ACTION_LOG_ODDS)
    frame["probability"] = 1 / (1 + np.exp(-(log_odds + np.log1p(frame["loyalty"]) - 0.8)))
    frame["responded"] = random.random(3000) < frame["probability"]
    return frame.assign(loyalty=frame["loyalty"].where(random.random(3000) > 0.1))


INPUTS = ["channel", "action_id", "loyalty", "noise", "offer_percent"]


def fitted(messages: pd.DataFrame, *, seed: int = 1) -> ResponsePropensityModel:
    return response_propensity.fit(
        messages[INPUTS],
        messages["responded"].to_numpy(),
        sent_at=messages["sent_at"],
        seed=seed,
        optional=["offer_percent"],
    )


@pytest.fixture(scope="module")
def model(messages: pd.DataFrame) -> ResponsePropensityModel:
    return fitted(messages)


def test_scores_follow_the_true_probabilities(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    scores = model.predict(messages[INPUTS])
    assert np.corrcoef(scores, messages["probability"])[0, 1] > 0.9
    newest = messages["sent_at"] >= NEWEST
    assert scores[newest].mean() == pytest.approx(messages.loc[newest, "responded"].mean(), rel=0.05)


def test_action_never_tried_falls_back_to_its_channel(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    for channel in CHANNEL_LOG_ODDS:
        sent = messages[(messages["channel"] == channel) & (messages["sent_at"] >= NEWEST)]
        scores = model.predict(sent[INPUTS].assign(action_id="never tried"))
        assert scores.mean() == pytest.approx(sent["responded"].mean(), rel=0.3)


def intervals(model: ResponsePropensityModel, inputs: pd.DataFrame) -> pd.DataFrame:
    middle, low, high = model.scores(model.encoding.matrix(inputs))
    return pd.DataFrame({"low": low, "middle": middle, "high": high})


def test_action_never_tried_has_an_interval_and_a_tried_one_none(
    messages: pd.DataFrame, model: ResponsePropensityModel
) -> None:
    tried, untried = intervals(model, messages[INPUTS]), intervals(model, messages[INPUTS].assign(action_id="new"))
    assert tried[["low", "high"]].isna().all(axis=None)
    assert (untried["low"] < untried["middle"]).all()
    assert (untried["middle"] < untried["high"]).all()


def test_channel_never_tried_widens_the_interval(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    never = messages[INPUTS].assign(action_id="new", channel="pigeon")
    assert log_odds_width(intervals(model, never)) > log_odds_width(
        intervals(model, messages[INPUTS].assign(action_id="new"))
    )


def log_odds_width(interval: pd.DataFrame) -> float:
    return float((logit(interval["high"]) - logit(interval["low"])).mean())


def test_interval_of_one_new_action_in_twenty_misses_it() -> None:
    """Each of 40 actions in turn is left out and told by the others, whose log odds differ by 0.6."""
    random = np.random.default_rng(11)
    effect = random.normal(0, 0.6, 40)
    action = np.repeat(np.arange(40.0), 400)
    logits = random.normal(-1.5, 0.5, len(action))
    responded = random.random(len(action)) < expit(logits + effect[action.astype(int)])
    covered = []
    for left_out in range(40):
        seen = action != left_out
        spread = Spread(action=between_groups(logits[seen], responded[seen], action[seen]), channel=0.0)
        low, high = spread.interval(np.zeros(1), is_new_action=np.array([True]), is_new_channel=np.array([False]))
        covered.append(low[0] < expit(effect[left_out]) < high[0])
    assert 0.85 <= np.mean(covered) <= 1.0
    assert spread.action == pytest.approx(0.6, rel=0.25)


def test_actions_that_do_not_differ_have_a_small_spread_and_one_alone_that_of_the_prior() -> None:
    random = np.random.default_rng(12)
    logits = np.full(10_000, -1.0)
    responded, action = random.random(10_000) < expit(logits), np.repeat(np.arange(50.0), 200)
    assert between_groups(logits, responded, action) < 0.25
    assert between_groups(logits, responded, np.zeros(10_000)) == PRIOR_SD


def test_channel_never_tried_falls_back_to_all(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    sent = messages[messages["sent_at"] >= NEWEST]
    scores = model.predict(sent[INPUTS].assign(action_id="never tried", channel="pigeon"))
    assert scores.mean() == pytest.approx(sent["responded"].mean(), rel=0.25)


def test_unseen_and_null_texts_are_the_same(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    unseen = model.predict(messages[INPUTS].assign(channel="pigeon"))
    assert np.array_equal(unseen, model.predict(messages[INPUTS].assign(channel=None)))


def test_optional_input_may_be_absent(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    absent = model.predict(messages[INPUTS].drop(columns="offer_percent"))
    assert np.array_equal(absent, model.predict(messages[INPUTS].assign(offer_percent=np.nan)))


def test_missing_input_is_named(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    with pytest.raises(TrainingError, match=r"^missing column loyalty; "):
        model.predict(messages[INPUTS].drop(columns="loyalty"))


def test_loaded_model_scores_equal_to_the_last_bit(
    messages: pd.DataFrame, model: ResponsePropensityModel, tmp_path: Path
) -> None:
    response_propensity.save(model, tmp_path)
    loaded = response_propensity.load(tmp_path)
    assert np.array_equal(loaded.predict(messages[INPUTS]), model.predict(messages[INPUTS]))
    assert loaded.metadata == model.metadata


def test_same_seed_gives_the_same_scores(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    assert np.array_equal(fitted(messages).predict(messages[INPUTS]), model.predict(messages[INPUTS]))


def test_newest_window_keeps_equal_times_together() -> None:
    # Ten messages: a quarter is the newest 2.5, and four share the time of the third newest.
    sent = np.array([1, 1, 2, 2, 3, 4, 4, 4, 4, 5], dtype="datetime64[D]")
    assert newest_window(sent).tolist() == [False] * 5 + [True] * 5


def test_calibration_is_on_the_newest_quarter(model: ResponsePropensityModel) -> None:
    assert model.metadata["is_calibrated"]
    assert model.metadata["calibration_sent_from"] == "2024-03-23 00:00:00"
    assert model.metadata["calibration_rows"] == 800


def test_few_responses_at_the_same_level_are_not_calibrated_on(messages: pd.DataFrame) -> None:
    rare = fitted(drifted(messages, 0.05, seed=3))
    assert rare.calibration == IDENTITY
    assert not rare.metadata["is_calibrated"]


def drifted(messages: pd.DataFrame, factor: float, *, seed: int) -> pd.DataFrame:
    """The same customers and offers, of whose responses a share `factor` is left."""
    return messages.assign(
        responded=messages["responded"] & (np.random.default_rng(seed).random(len(messages)) < factor)
    )


def mean_score(model: ResponsePropensityModel, messages: pd.DataFrame) -> float:
    return float(model.predict(messages[INPUTS]).mean())


def test_level_that_halves_in_the_newest_window_is_found_and_met_out_of_time(messages: pd.DataFrame) -> None:
    newest = messages["sent_at"] >= NEWEST
    halved = pd.concat([messages[~newest], drifted(messages[newest], 0.5, seed=8)])
    later = drifted(messages, 0.5, seed=9)
    model = fitted(halved)
    assert model.level is not None
    assert model.level.has_drifted
    assert "the level has drifted" in str(model.level)
    actual = later["responded"].mean()
    assert mean_score(model, later) == pytest.approx(actual, rel=0.12)
    uncalibrated = replace(model, calibration=IDENTITY)
    assert mean_score(uncalibrated, later) > 1.3 * actual


def test_level_that_stays_is_not_said_to_drift(model: ResponsePropensityModel) -> None:
    assert model.level is not None
    assert not model.level.has_drifted
    assert model.level.low < model.level.actual < model.level.high


@pytest.mark.parametrize("rows", [200, 1500])
def test_model_in_use_is_brought_to_the_level_of_later_messages(
    messages: pd.DataFrame, model: ResponsePropensityModel, rows: int
) -> None:
    """With 200 messages only the intercept moves, with 1,500 the slope as well."""
    random = np.random.default_rng(4)
    seen, later = (
        drifted(messages.sample(n, random_state=5), 0.5, seed=int(random.integers(100))) for n in (rows, 3000)
    )
    level, recalibrated = at_level(model, seen[INPUTS], seen["responded"].to_numpy(), sent_at=seen["sent_at"])
    assert level.has_drifted
    assert (recalibrated.calibration.slope == model.calibration.slope) == (rows == 200)
    actual = later["responded"].mean()
    assert mean_score(recalibrated, later) == pytest.approx(actual, rel=0.2 if rows == 200 else 0.1)
    assert mean_score(model, later) > 1.5 * actual


def test_model_whose_level_holds_is_left_alone(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    seen = messages.sample(500, random_state=6)
    level, same = at_level(model, seen[INPUTS], seen["responded"].to_numpy(), sent_at=seen["sent_at"])
    assert not level.has_drifted
    assert same is model


def test_window_without_a_response_leaves_a_chance(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    silent = messages.tail(400).assign(responded=False)
    level, recalibrated = at_level(model, silent[INPUTS], silent["responded"].to_numpy(), sent_at=silent["sent_at"])
    assert level.has_drifted
    assert 0 < mean_score(recalibrated, silent) < 0.3 * mean_score(model, silent)


def test_interval_of_a_level_is_the_binomial_one() -> None:
    """Of 100 messages expected to be answered by half, 99 in 100 such hundreds have 37 to 63 responses."""
    sent = pd.Series(pd.to_datetime(["2024-03-01"] * 99 + ["2024-03-05"]))
    found = compare(np.full(100, 0.5), np.arange(100) < 36, sent)
    assert (found.low, found.high, found.actual) == (0.37, 0.63, 0.36)
    assert str(found) == (
        "36.0% of 100 messages sent from 2024-03-01 to 2024-03-05 had a response, "
        "50.0% were expected (37.0% to 63.0%): the level has drifted, so predictions are calibrated on them"
    )


def test_calibration_never_reverses_the_order() -> None:
    logits = np.linspace(-3, 3, 200)
    wrong_way_round = logits < 0
    assert fit_line(logits, wrong_way_round).slope < 0
    assert fit_line(logits, wrong_way_round, smallest_slope=0.1).slope == pytest.approx(0.1)


@settings(max_examples=30)
@given(slope=st.floats(0.3, 3), intercept=st.floats(-2, 2))
def test_line_is_found_again(slope: float, intercept: float) -> None:
    logits = np.tile(np.linspace(-3, 3, 50), 400)
    rank = (np.arange(len(logits)) // 50 + 0.5) / 400
    outcome = rank < 1 / (1 + np.exp(-(intercept + slope * logits)))
    assert fit_line(logits, outcome) == pytest.approx((slope, intercept), abs=0.05)


@pytest.mark.parametrize(("answer", "said"), [(True, 3000), (False, 0)])
def test_one_kind_of_answer_is_one_line(messages: pd.DataFrame, answer: bool, said: int) -> None:
    with pytest.raises(TrainingError, match=rf"^3000 messages, {said} with a response; .*closed outcomes$"):
        fitted(messages.assign(responded=answer))


def test_few_responses_leave_the_regression_alone(messages: pd.DataFrame, tmp_path: Path) -> None:
    rare = fitted(drifted(messages, 0.03, seed=3))
    assert rare.trees.booster is None
    assert rare.metadata["method"] == "Regression alone: fewer than 50 responses to learn from"
    response_propensity.save(rare, tmp_path)
    assert np.array_equal(response_propensity.load(tmp_path).predict(messages[INPUTS]), rare.predict(messages[INPUTS]))


def test_constant_unknown_and_countless_texts_do_no_harm(
    messages: pd.DataFrame, model: ResponsePropensityModel
) -> None:
    """An attribute with another text in every row has none that could be learnt."""
    useless = messages[INPUTS].assign(constant=1.0, unknown=None, one="text", serial=[f"n{n}" for n in range(3000)])
    other = response_propensity.fit(
        useless, messages["responded"].to_numpy(), sent_at=messages["sent_at"], seed=1, optional=["offer_percent"]
    )
    assert other.encoding.categories["serial"] == []
    scores = other.predict(useless)
    assert np.corrcoef(scores, model.predict(messages[INPUTS]))[0, 1] > 0.98
    # What was the same in every message taught nothing: neither does another value of it, once there is one.
    assert other.predict(useless.assign(constant=2.0, unknown=5.0)) == pytest.approx(scores, abs=1e-3)


def test_of_ten_thousand_frequent_texts_the_most_frequent_have_codes() -> None:
    texts = [f"n{n:05}" for n in range(10_000)] * MINIMUM_SEEN + [f"n{n:05}" for n in range(100, 200)]
    codes = learn_encoding(pd.DataFrame({"serial": texts})).categories["serial"]
    assert codes is not None
    assert len(codes) == MAXIMUM_TEXTS
    assert set(codes) == {f"n{n:05}" for n in range(250)}


def test_same_customer_twice_is_scored_alike(messages: pd.DataFrame, model: ResponsePropensityModel) -> None:
    twice = pd.concat([messages.head(10), messages.head(10)])
    scores = model.predict(twice[INPUTS])
    assert np.array_equal(scores[:10], scores[10:])


def test_inputs_without_the_action_are_one_line(messages: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"^missing column action_id; "):
        response_propensity.fit(
            messages[["channel", "loyalty"]], messages["responded"].to_numpy(), sent_at=messages["sent_at"], seed=1
        )


def test_no_messages_is_one_line(messages: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"^0 messages, 0 with a response; "):
        fitted(messages.head(0))


def test_logs_of_refunds_mirror_those_of_purchases() -> None:
    values = np.array([[-9.0], [9.0], [np.nan]])
    assert learn_linear_inputs(values).matrix(values) == pytest.approx(np.array([[-1, 0], [1, 0], [0, 1]]))


def test_columns_that_are_null_together_share_an_indicator() -> None:
    n = np.nan
    values = np.array([[n, 1, n, n], [2, 2, 2, n], [n, 3, n, 4]])
    assert learn_linear_inputs(values).indicated.tolist() == [0, 3]
    assert learn_linear_inputs(values[:, 1:2]).indicated.tolist() == []


def test_dates_among_the_inputs_are_named(messages: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"column sent_at holds datetime64; .*days before the message"):
        learn_encoding(messages[["channel", "sent_at"]])


def test_attributes_become_typed_columns() -> None:
    texts = pd.Series(
        [
            '{"percent": 10, "free": true, "until": "1970-01-03", "name": "A", "list": [1, 2], "mixed": 1}',
            '{"percent": 2.5, "free": false, "until": "1970-01-01T12:00:00Z", "name": null, "mixed": "one"}',
            None,
        ],
        index=[7, 8, 9],
    )
    moments = pd.Series(pd.to_datetime(["1970-01-01", "1970-01-02", "1970-01-03"]), index=[7, 8, 9])
    expected = pd.DataFrame(
        {
            "offer_free": [1.0, 0.0, np.nan],
            "offer_list": ["[1, 2]", None, None],
            "offer_mixed": ["1", "one", None],
            "offer_name": ["A", None, None],
            "offer_percent": [10.0, 2.5, np.nan],
            "offer_until": [2.0, -0.5, np.nan],
        },
        index=[7, 8, 9],
    )
    pd.testing.assert_frame_equal(expand_attributes(texts, moments, "offer"), expected)


def test_article_numbers_are_not_dates() -> None:
    column = expand_attributes(pd.Series(['{"article": "2024000001"}', '{"article": "2024-01-01"}']), MORNINGS, "offer")
    assert column["offer_article"].tolist() == ["2024000001", "2024-01-01"]


@pytest.mark.parametrize("number", ["1e999", "1" + "0" * 400])
def test_number_beyond_all_floats_is_infinite_and_refused(
    messages: pd.DataFrame, model: ResponsePropensityModel, number: str
) -> None:
    texts = pd.Series([f'{{"percent": {number}}}'] * len(messages))
    offers = expand_attributes(texts, messages["sent_at"], "offer")
    with pytest.raises(TrainingError, match=r"^column offer_percent is infinite in row 0; expected finite numbers"):
        model.predict(messages.assign(**offers))


def test_attributes_that_are_no_object_name_their_row() -> None:
    with pytest.raises(TrainingError, match=r"^attributes of row 1: '\[1\]'; expected a JSON object"):
        expand_attributes(pd.Series(["{}", "[1]"]), MORNINGS, "offer")


def test_attributes_nested_without_end_name_their_row() -> None:
    text = '{"list": ' + "[" * 50_000 + "]" * 50_000 + "}"
    with pytest.raises(TrainingError, match=r"^attributes of row 1: '\{\"list\": \[+'; expected a JSON object"):
        expand_attributes(pd.Series(["{}", text]), MORNINGS, "offer")


def test_nulls_of_several_kinds_do_not_shift_the_rows() -> None:
    texts = pd.Series(['{"n": 1}', None, np.nan, pd.NA, '{"n": 2}'], dtype=object)
    found = expand_attributes(texts, pd.Series([MORNINGS[0]] * 5), "offer")["offer_n"]
    assert found.fillna(0).tolist() == [1, 0, 0, 0, 2]


def test_where_every_row_has_a_key_of_its_own_few_keys_become_inputs() -> None:
    """Each would be a column of all rows. Those in most rows teach, and a model is asked about those it knows."""
    texts = pd.Series([f'{{"order_{row}": 1, "percent": {row}}}' for row in range(1000)])
    moments = pd.Series([MORNINGS[0]] * len(texts))
    found = expand_attributes(texts, moments, "offer")
    assert len(found.columns) == MAXIMUM_KEYS
    assert found["offer_percent"].tolist() == list(range(1000))
    assert expand_attributes(texts, moments, "offer", {"offer_percent": None}).columns.tolist() == ["offer_percent"]


def test_offer_that_ends_soon_is_known_for_such_when_it_is_still_to_come() -> None:
    """Those that end soon are accepted: days from the sending tell, and no day of the calendar does."""
    random = np.random.default_rng(4)
    sent_at = pd.Series(pd.Timestamp("2023-01-02") + pd.to_timedelta(np.arange(2000) // 5, unit="D"))
    lasts = random.integers(1, 40, len(sent_at))
    texts = pd.Series([f'{{"until": "{until:%Y-%m-%d}"}}' for until in sent_at + pd.to_timedelta(lasts, unit="D")])
    inputs = expand_attributes(texts, sent_at, "offer").assign(action_id="coupon", channel="post")
    assert inputs["offer_until"].tolist() == lasts.tolist()
    responded = random.random(len(sent_at)) < np.where(lasts < 10, 0.6, 0.1)
    past = (sent_at < pd.Timestamp("2023-11-01")).to_numpy()
    model = response_propensity.fit(inputs[past], responded[past], sent_at=sent_at[past], seed=1)
    to_come = model.predict(inputs[~past])
    assert to_come[lasts[~past] < 8].mean() == pytest.approx(0.6, abs=0.1)
    assert to_come[lasts[~past] > 12].mean() == pytest.approx(0.1, abs=0.05)


def test_dates_of_the_newest_message_are_as_far_away_when_it_is_carried_out_again() -> None:
    month, text = timedelta(days=30), '{"until": "2024-01-10", "for_ever": "9999-12-31", "size": "2024-01", "n": 1}'
    assert postponed(text, month) == {
        "until": "2024-02-09T00:00:00",
        "for_ever": "9999-12-31",
        "size": "2024-01",
        "n": 1,
    }
    assert postponed(None, month) == {}
