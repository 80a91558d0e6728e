"""The whole loop on a small made-up shop, as a user runs it."""

import asyncio
import json
import runpy
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from feast import FeatureStore, FeatureView
from typer.testing import CliRunner

from millpond import (
    auditing,
    cli,
    dbt,
    declared_features,
    errors,
    features,
    health,
    lake,
    learning,
    models,
    pipeline,
    publishing,
    scoring,
    settings,
)
from millpond.keeping import Trained
from millpond.reader import Reader
from training import dataset, feature_list, model_store, offers, qini, response_propensity, uplift
from training.files import reading, write_json
from training.person_periods import HORIZONS

AS_OF = date(2024, 2, 6)
PREDICTIONS = ("repurchase_timing", "customer_value", "response_propensity")
VIEWS = (
    "customer_purchases",
    "customer_rhythm",
    "customer_communications",
    "customer_channel_communications",
    "customer_profile",
    "customer_channels",
    "customer_products",
    "customer_prices",
    "last_purchase",
    "last_click",
    "last_visit",
    "last_unsubscribe",
    "customer_aida",
    "customer_rfm",
    "customer_lifecycle",
    "customer_service",
    "customer_returns",
    "customer_texts",
    "customer_occasions",
    "customer_assets",
    "customer_asset_readings",
)


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def write(statement: str) -> None:
    with lake.writing(), lake.connect(read_only=False) as connection:
        connection.execute(statement)


def described(query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with lake.connect() as connection:
        answer = connection.execute(query)
        return [column[0] for column in answer.description or ()], answer.fetchall()


def audited_feature(audited: list[auditing.Audited]) -> auditing.Audited:
    return next(one for one in audited if one.wrong)


# Here each row meets a handful of others by design: channels, states, scores and caps of a seed, a list of key words.
COMPARES_FEW = {
    "contact_cap_reached",
    "customer_rfm",
    "int_price_days_versioned",
    "int_priced_lines_versioned",
    "int_reachability_evidence_united",
    "int_reachability_versioned",
    "int_topics_matched_to_texts",
}


def keep_uplift_model(home: Path, verdict: str) -> None:
    """As if every fourth message of the home had been withheld, and the test had given that verdict."""
    with lake.connect() as connection:
        sent = dataset.messages(connection, sent_from=None, cut=AS_OF)
        inputs = offers.response_inputs(features.published_store(), sent)
    contacted, responded = np.arange(len(sent)) % 4 > 0, sent["responded"].to_numpy(dtype=bool)
    fitted = uplift.fit(inputs, responded, contacted, seed=1, optional=learning.attribute_columns(inputs))
    model = replace(fitted, metadata={**fitted.metadata, "verdict": verdict})
    listed = declared_features.inputs_of("uplift", list(inputs.columns))
    model_store.keep(
        home / "models",
        "uplift",
        as_of=AS_OF,
        write=lambda to: uplift.save(model, to),
        describe=lambda to, _: feature_list.write(listed, to),
    )


def learn_and_decide() -> dict[str, Trained]:
    trained = {name: pipeline.train(name) for name in ("repurchase_timing", "customer_value", "response_propensity")}
    pipeline.score()
    pipeline.decide()
    return trained


@pytest.fixture(scope="module")
def built(built_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which the loop ran once."""
    home = tmp_path_factory.mktemp("loop") / "home"
    shutil.copytree(built_shop, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        learn_and_decide()
        yield home


@pytest.mark.usefixtures("built")
class TestLoop:
    def test_every_customer_has_one_next_best_action_with_a_reason(self) -> None:
        counts = "count(*), count(distinct customer_id), count(reason)"
        assert ask(f"select {counts} from decisions.next_best_actions where rank = 1") == [(400, 400, 400)]

    def test_actions_are_chosen_where_they_are_worth_more_than_they_cost(self) -> None:
        rows = ask("select action_id, net_value from decisions.next_best_actions where rank = 1")
        assert {action for action, _ in rows} > {"do_nothing"}
        assert all(value > 0 for action, value in rows if action != "do_nothing")

    def test_customers_who_withdrew_are_never_contacted(self) -> None:
        query = """
            select distinct action_id
            from decisions.next_best_actions
            inner join marts.customer_keys using (customer_id)
            where cast(substr(customer_key, 2) as integer) % 50 = 0
        """
        assert ask(query) == [("do_nothing",)]

    def test_log_holds_every_candidate_and_one_choice_per_customer(self) -> None:
        candidates, chosen = ask("select count(*), count(*) filter (is_chosen) from decisions.decision_log")[0]
        assert (candidates, chosen) == (400 * 4, 400)

    def test_no_model_compares_every_row_with_every_other(self, built: Path) -> None:
        """An outer join on anything but equal keys and plain bounds would: hours, where customers are many."""
        compiled = sorted((built / "target" / "compiled" / "millpond" / "models").glob("*/**/*.sql"))
        models = [file for file in compiled if file.parent.suffix != ".yml" and file.stem not in COMPARES_FEW]
        with lake.connect() as connection:
            plans = {file.stem: connection.execute(f"explain {file.read_text()}").fetchall()[0][1] for file in models}
        assert len(plans) > 80
        assert [name for name, plan in plans.items() if "BLOCKWISE_NL_JOIN" in plan] == []

    def test_given_rows_of_every_unit_test_give_the_expected_ones(self, built: Path) -> None:
        """dbt's unit tests, which no build runs; they ask the lake for the types of what a model reads."""
        places = ["--target-path", str(built / "unit"), "--log-path", str(built / "unit")]
        words = ["test", "--select", "test_type:unit", "--project-dir", str(settings.PROJECT), *places]
        command = [sys.executable, "-m", "dbt.cli.main", *words, "--profiles-dir", str(settings.PROJECT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        results = json.loads((built / "unit" / "run_results.json").read_text())["results"]
        tests = [one for one in results if one["unique_id"].startswith("unit_test.")]
        assert {one["status"] for one in tests} == {"pass"}, done.stdout

    def test_timing_predictions_never_fall_in_the_horizon(self) -> None:
        names = [*(f"p_repurchase_{horizon}d" for horizon in (7, 14, 30, 60, 90)), "p_alive"]
        ordered = " and ".join(f"{near} <= {far}" for near, far in pairwise(names))
        assert ask(f"select count(*), count(*) filter ({ordered}) from predictions.repurchase_timing") == [(400, 400)]

    def test_response_model_finds_those_who_like_letters(self) -> None:
        query = """
            select cast(substr(customer_key, 2) as integer) % 4 = 0 as likes, avg(response_propensity)
            from predictions.response_propensity
            inner join marts.customer_keys using (customer_id)
            group by 1 order by 1
        """
        (_, others), (_, fans) = ask(query)
        assert fans > 3 * others

    def test_score_says_how_much_of_what_the_customer_buys_the_offer_is_about(self) -> None:
        """The third action was never carried out, so nobody knows what it is about."""
        known = "affinity_amount_share between 0 and 1 and affinity_days_share between 0 and 1"
        query = f"select action_id, count(*) filter ({known}), max(affinity_days_share) > min(affinity_days_share)"
        assert ask(f"{query} from predictions.response_propensity group by 1 order by 1") == [
            ("type_a", 400, True),
            ("type_b", 400, True),
            ("type_c", 0, None),
        ]

    def test_every_buyer_has_a_value_that_grows_with_the_horizon(self) -> None:
        names = [f"expected_value_{horizon}d" for horizon in (7, 14, 30, 60, 90, 365)]
        ordered = " and ".join(f"{near} < {far}" for near, far in pairwise(names))
        assert ask(f"select count(*), count(*) filter ({ordered}) from predictions.customer_value") == [(400, 400)]

    def test_without_withheld_messages_there_is_no_uplift(self) -> None:
        with pytest.raises(
            errors.CannotTrain, match=r"no message was withheld by design .*: withhold some of the next campaign"
        ):
            pipeline.train("uplift")
        query = "select count(control_propensity), count(uplift) from predictions.response_propensity"
        assert ask(query) == [(0, 0)]

    def test_uplift_is_the_response_less_that_without_contact(self, built: Path) -> None:
        keep_uplift_model(built, "not proven")
        pipeline.score()
        shutil.rmtree(built / "models" / "uplift")
        sound = "abs(response_propensity - control_propensity - uplift) < 1e-12 and control_propensity between 0 and 1"
        query = f"select count(*), count(*) filter ({sound}) from predictions.response_propensity"
        assert ask(query) == [(1200, 1200)]

    @pytest.mark.slow
    def test_decisions_count_who_would_respond_anyway_until_whom_contact_changes_is_proven(
        self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(built, tmp_path / "home")
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
        counted = (
            "count(*), count(*) filter (expected_responses = {}), count(*) filter (uplift < response_propensity) > 600"
        )
        query = f"select {counted} from decisions.decision_log where action_id != 'do_nothing'"
        # As a lake of an earlier version, which was not scored since.
        write("alter table predictions.response_propensity drop column uplift_verdict")
        decided = {"unknown": pipeline.decide()}
        for verdict in (qini.NOT_PROVEN, qini.SAME_FOR_ALL):
            keep_uplift_model(tmp_path / "home", verdict)
            pipeline.score()
            decided[verdict] = pipeline.decide()
            assert ask(query.format("response_propensity")) == [(1200, 1200, True)]
        assert decided["unknown"] == decided[qini.NOT_PROVEN] == decided[qini.SAME_FOR_ALL]

        # Every third letter withheld, and half of those who like letters come without them.
        is_withheld, comes_anyway = (
            "hash(message_id) % 3 = 0",
            "cast(split_part(message_id, '-', 2) as integer) % 8 = 0",
        )
        write(f"update intermediate.int_messages_versioned set arm = 'control' where {is_withheld}")
        write(f"delete from intermediate.int_message_events_versioned where {is_withheld} and not {comes_anyway}")
        assert pipeline.train("uplift").test.endswith("Verdict: personalise")
        pipeline.score()
        pipeline.decide()
        assert ask(query.format("uplift")) == [(1200, 1200, True)]
        query = """
            select max(abs(net_value - (expected_responses * actions.value * actions.weight - actions.cost)))
            from decisions.decision_log
            inner join seeds.actions using (action_id)
        """
        assert ask(query)[0][0] < 1e-9
        query = "select bool_or(reason like '% chance to cause a response worth %') from decisions.next_best_actions"
        assert ask(f"{query} where action_id != 'do_nothing'") == [(True,)]

    def test_scores_in_small_batches_equal_those_of_one(self) -> None:
        tables = {name: f"select * from predictions.{name} order by all" for name in PREDICTIONS}
        pipeline.score()
        whole = {name: described(query) for name, query in tables.items()}
        with lake.writing():
            rows = scoring.score(features.published_store(), as_of=AS_OF, horizons=HORIZONS, batch_rows=70)
        assert rows == {
            "repurchase_timing": 400,
            "customer_value": 400,
            "response_propensity": 1200,
            "message_response": 0,
        }
        for name, query in tables.items():
            columns, in_batches = described(query)
            assert columns == whole[name][0]
            for before, after in zip(whole[name][1], in_batches, strict=True):
                assert after == pytest.approx(before, abs=1e-12)

    def test_score_brings_a_response_model_to_the_level_of_later_messages(
        self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model of two months ago, made to expect far more responses than the letter since had."""
        shutil.copytree(built, tmp_path / "home")
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
        earlier = pipeline.train("response_propensity", as_of=date(2023, 12, 4))
        in_use = models.promote("response_propensity", earlier.version)
        assert earlier.notices[-1].startswith(f"{in_use} stays in use, ")
        file = earlier.folder / response_propensity.MODEL_FILE
        with reading(file) as plain:
            plain["calibration"]["intercept"] += 2.0
        write_json(plain, file)
        said: list[str] = []
        query = "select avg(response_propensity), min(model_version), max(model_version) from predictions.{}"
        pipeline.score(on_notice=said.append)
        recalibrated = model_store.current(tmp_path / "home" / "models", "response_propensity")
        assert recalibrated is not None
        ((mean, *versions),) = ask(query.format("response_propensity"))
        pipeline.score(on_notice=said.append)
        assert ask(query.format("response_propensity")) == [(mean, *versions)]
        assert "400 messages sent from 2023-12-06 to 2023-12-06 had a response" in said[0]
        assert said[0] == said[1]
        assert versions == [recalibrated.name] * 2
        assert recalibrated.name.startswith("2024-02-06-")
        assert f"From {earlier.version}: " in (recalibrated / "model_card.md").read_text()
        (actual,) = ask(
            "select avg(cast(responded_at is not null as integer)) from labels.message_responses"
            " where sent_at >= '2023-12-06' and message_superseded_at is null"
        )[0]
        assert 0.5 * actual < mean < 1.5 * actual

    def test_online_features_equal_those_in_the_lake(self) -> None:
        store: FeatureStore = features.store()
        customer, purchases = ask(
            f"""
            select customer_id, purchase_days_ever
            from features.customer_purchases
            where observation_date = '{AS_OF}' order by 1
            """
        )[0]
        online = store.get_online_features(
            features=["customer_purchases:purchase_days_ever"], entity_rows=[{"customer_id": customer}]
        ).to_dict()
        assert online["purchase_days_ever"] == [purchases]

    def test_reader_gives_what_the_lake_holds_and_says_what_is_missing_or_too_old(self) -> None:
        noon = datetime.combine(AS_OF, time(12), UTC)
        columns, (row, *_) = described(f"select * from features.customer_rhythm where observation_date = '{AS_OF}'")
        with Reader("repurchase_timing") as reader:
            known, unknown = reader.read([row[0], "nobody"], at=noon)
            (stale,) = reader.read([row[0]], at=noon + timedelta(days=30))
            assert asyncio.run(reader.read_async([row[0]], at=noon)) == [known]
        assert {name: known.values[name] for name in columns[1:-1]} == dict(zip(columns[1:-1], row[1:-1], strict=True))
        assert (known.is_known, known.stale) == (True, ())
        assert (unknown.is_known, set(unknown.values.values())) == (False, {None})
        assert (stale.is_known, set(stale.values.values())) == (True, {None})
        assert set(stale.stale) == set(known.observed_at)

    def test_reader_names_services_and_keys_that_it_expects(self) -> None:
        with pytest.raises(errors.UnknownFeatures, match="no feature service 'churn'; there are: "):
            Reader("churn")
        with pytest.raises(errors.UnknownFeatures, match="is read by customer_id"):
            Reader("repurchase_timing").read([{"customer": "c1"}])
        with pytest.raises(errors.UnknownFeatures, match="is read by customer_id; give each of them, as text"):
            Reader("repurchase_timing").read([17])  # type: ignore[list-item]

    def test_audit_finds_the_value_that_was_served_and_is_not_in_the_lake(self, built: Path) -> None:
        store = features.published_store()
        customers = [row[0] for row in ask("select distinct customer_id from features.customer_rhythm order by 1")]
        noon = datetime.combine(AS_OF, time(12), UTC)
        with Reader("repurchase_timing", is_logged=True) as reader:
            reader.read(customers, at=noon)
            with sqlite3.connect(built / "online" / "features.db") as online:
                online.execute(
                    "update millpond_customer_rhythm_packed set packed = '[99' || substr(packed, instr(packed, ','))"
                    " where instr(entity_key, ?) > 0",
                    [customers[0].encode()],
                )
            reader.read(customers[:2], at=noon)
        audited = auditing.audit(store, store.list_feature_services())
        assert {one.compared for one in audited} == {len(customers) + 2}
        assert [(one.feature, one.wrong) for one in audited if one.wrong] == [("frequency", 1)]
        assert f"{customers[0]} at 2024-02-06 12:00:00: served 99, in the lake" in audited_feature(audited).examples[0]
        assert {one.behind for one in audited} == {0}

    def test_second_publishing_of_the_same_lake_writes_nothing(self) -> None:
        pipeline.publish()
        assert {one.values for one in pipeline.publish()} == {0}

    def test_view_that_cannot_be_published_is_named_and_stops_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        publish = publishing.publish_view

        def fail_for_profile(store: FeatureStore, view: FeatureView, **window: Any) -> Any:
            if view.name in ("customer_profile", "last_visit"):
                raise OSError("disk\nfull")
            return publish(store, view, **window)

        monkeypatch.setattr(publishing, "publish_view", fail_for_profile)
        # Another state of the lake, so that every view is due.
        monkeypatch.setattr(publishing, "layout", lambda view: view.name)
        done: list[str] = []
        with pytest.raises(
            errors.PublishFailed, match=r"2 of 21 views are as they were online: \w+, \w+: disk full; mend"
        ):
            pipeline.publish(on_view=done.append)
        assert len(done) == 21

    def test_model_folders_hold_card_and_figures(self, built: Path) -> None:
        folder = model_store.current(built / "models", "response_propensity")
        assert folder is not None
        card = (folder / "model_card.md").read_text()
        assert "Who must not use it" in card
        assert "earlier_responses" in card
        estimate, low, high = json.loads((folder / "metrics.json").read_text())["intervals"]["log_loss"]
        assert low < estimate < high
        assert f"| {estimate:.4g} [{low:.4g}, {high:.4g}] |" in card
        plots = {file.stem for file in (folder / "plots").iterdir()}
        assert plots == {"calibration", "gain", "importance", "contributions"}
        assert all(f"(plots/{plot}.svg)" in card for plot in plots)

    def test_ranking_says_how_many_of_those_scored_last_are_worth_contacting(self) -> None:
        """The same version scored all of them a week before as well."""
        a_week_before = """
            insert into predictions.response_propensity by name
            select * replace (observation_date - 7 as observation_date) from predictions.response_propensity
        """
        write(a_week_before)
        ranking = models.rank("response_propensity", value=10, cost=0.5)
        write(f"delete from predictions.response_propensity where observation_date < '{AS_OF}'")
        found = [(offer, customers, worth.contacted) for offer, (customers, worth) in ranking.offers.items()]
        assert found == ask(
            """
            select action_id || ' by ' || channel, count(*), count(*) filter (response_propensity * 10 > 0.5)
            from predictions.response_propensity group by 1 order by 1
            """
        )
        words = ["models", "rank", "response_propensity", "--value", "10", "--cost", "0.5"]
        shown = CliRunner().invoke(cli.app, words)
        assert shown.exit_code == 0
        assert all(
            f"{offer}: contact {worth.contacted:,} of" in shown.output for offer, (_, worth) in ranking.offers.items()
        )
        assert sum(group["total"] for group in ranking.groups) > 0

    def test_explained_predictions_are_those_of_the_lake_with_reasons(self) -> None:
        [(customer, key, timing)] = ask(
            """
            select customer_id, min(source_system || '/' || customer_key), min(p_repurchase_30d)
            from predictions.repurchase_timing inner join marts.customer_keys using (customer_id)
            group by customer_id order by 1 limit 1
            """
        )
        offered = ask(
            "select 'accepts ' || action_id || ' by ' || channel, response_propensity from"
            f" predictions.response_propensity where customer_id = '{customer}' order by 2 desc, 1"
        )
        found = pipeline.explain(key, count=2)
        assert [one.prediction for one in found] == ["buys within 30 days", *(words for words, _ in offered)]
        assert [one.probability for one in found] == pytest.approx([timing, *(p for _, p in offered)], abs=1e-12)
        assert all(len(one.reasons) == 2 for one in found)
        shown = CliRunner().invoke(cli.app, ["models", "explain", customer, "--reasons", "2"])
        assert shown.exit_code == 0
        lines = [line for one in found for line in (one.prediction, *(words for _, words in one.reasons))]
        assert all(line in said for line, said in zip(lines, shown.output.splitlines(), strict=True))

    def test_the_example_of_the_docs_scores_one_customer_as_the_batch_does(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        [(customer, key, timing)] = ask(
            """
            select customer_id, min(source_system || '/' || customer_key), min(p_repurchase_30d)
            from predictions.repurchase_timing inner join marts.customer_keys using (customer_id)
            group by customer_id order by 1 limit 1
            """
        )
        monkeypatch.setenv("CUSTOMER", key)
        scores = runpy.run_path(str(settings.PROJECT / "docs/examples/score_one_customer.py"))["scores"]
        offered = ask(
            "select response_propensity from predictions.response_propensity"
            f" where customer_id = '{customer}' order by action_id, channel"
        )
        assert scores.timing["p_repurchase_30d"] == pytest.approx(timing, abs=1e-12)
        assert list(scores.response) == pytest.approx([chance for (chance,) in offered], abs=1e-12)
        assert capsys.readouterr().out.startswith(f"buys within 30 days: {timing:.1%}\naccepts type_a by post: ")

    def test_nobody_is_explained_who_is_no_customer(self) -> None:
        with pytest.raises(errors.UnknownCustomer, match="nobody called shop/x was a customer as of 2024-02-06"):
            pipeline.explain("shop/x", count=1)

    def test_customer_who_never_bought_has_the_chance_of_a_first_purchase(
        self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(built, tmp_path / "home")
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
        [(customer,)] = ask("select min(customer_id) from predictions.repurchase_timing")
        with lake.writing(), lake.connect(read_only=False) as connection:
            connection.execute(
                "update features.customer_rhythm set frequency = null, recency_days = null, tenure_days = null"
                f" where customer_id = '{customer}' and observation_date = '{AS_OF}'"
            )
        assert pipeline.score()["customer_value"] == 399
        [(near, far, expected, alive)] = ask(
            "select p_repurchase_7d, p_repurchase_90d, expected_purchases_90d, p_alive"
            f" from predictions.repurchase_timing where customer_id = '{customer}'"
        )
        assert 0 < near < far < expected
        assert alive is None
        [first, *_] = pipeline.explain(customer, count=1)
        assert first.prediction.startswith("buys first within 30 days, known for ")
        assert near < first.probability < far

    def test_doctor_misses_a_response_model_where_there_are_messages(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("millpond.settings.models_folder", lambda: tmp_path)
        found = {check.what: check.is_well for check in health.check()}
        wanted = {"repurchase_timing": False, "customer_value": True, "response_propensity": False, "uplift": True}
        assert {name: found[name] for name in wanted} == wanted

    def test_doctor_says_how_fresh_each_family_is_and_what_every_model_needs(self) -> None:
        found = {check.what: check for check in health.check()}
        newest = ask(
            "select max(known_at) from (select known_at from staging.stg_communications__events"
            " union all select known_at from staging.stg_communications__messages)"
        )
        assert found["newest of communications"].finding == str(newest[0][0])
        assert found["newest of crm"].is_well
        assert found["customer_value"].is_well
        assert found["uplift"].is_well
        assert "if there are messages that were withheld by design" in found["uplift"].finding
        assert found["online features"].finding.startswith(f"{len(VIEWS)} views, ")

    def test_scores_asked_for_before_training_name_the_training(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("millpond.settings.models_folder", lambda: tmp_path)
        before = ask("select count(*) from predictions.repurchase_timing")
        with pytest.raises(errors.ModelNotTrained, match="no repurchase_timing model: run `millpond train` first"):
            pipeline.score()
        assert ask("select count(*) from predictions.repurchase_timing") == before

    def test_model_that_knows_what_came_later_is_refused(self, built: Path) -> None:
        pointer = built / "models" / "repurchase_timing" / "current"
        version = pointer.read_text()
        later = version.replace("2024-02-06", "2024-03-01").strip()
        (pointer.parent / later).mkdir()
        pointer.write_text(later)
        try:
            with pytest.raises(
                errors.ModelNotTrained, match="learnt from what came after 2024-02-06: run `millpond train"
            ):
                pipeline.score()
        finally:
            pointer.write_text(version)
            (pointer.parent / later).rmdir()

    def test_model_whose_features_changed_since_is_refused(self, built: Path) -> None:
        compiled = built / "target/compiled/millpond/models/features/customer_rhythm.sql"
        sql = compiled.read_text()
        before = ask("select count(*) from predictions.repurchase_timing")
        compiled.write_text(sql.replace("list_median(list(gap_days))", "min(gap_days)"))
        try:
            with pytest.raises(
                errors.FeaturesChanged, match=r"other features: customer_rhythm.gap_days_median is computed otherwise"
            ):
                pipeline.score()
        finally:
            compiled.write_text(sql)
        assert ask("select count(*) from predictions.repurchase_timing") == before

    def test_horizon_beyond_the_learnt_days_is_said_and_told_by_the_rows(
        self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(built, tmp_path / "home")
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
        said: list[str] = []
        pipeline.score(horizons=[30, 180], on_notice=said.append)
        assert [one.partition(" learnt ")[2] for one in said] == ["90 days: what it says of 180 is extrapolated."]
        for table in ("repurchase_timing", "customer_value"):
            assert ask(f"select distinct extrapolated_beyond_days from predictions.{table}") == [(90.0,)]

    def test_infinite_feature_is_one_line_and_nothing_is_scored(
        self, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(built, tmp_path / "home")
        monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
        query = "select count(*), min(p_repurchase_30d), max(p_repurchase_30d) from predictions.repurchase_timing"
        before = ask(query)
        with lake.writing(), lake.connect(read_only=False) as connection:
            connection.execute(
                f"update features.customer_rhythm set gap_days_mean = 'infinity' where observation_date = '{AS_OF}'"
            )
        with pytest.raises(
            errors.CannotScore, match=r"^nothing was scored as of 2024-02-06: column gap_days_mean is infinite in row 0"
        ):
            pipeline.score()
        assert ask(query) == before

    def test_training_as_of_a_date_without_features_names_the_build(self) -> None:
        with pytest.raises(
            errors.NotBuilt, match="no features as of 2023-05-03: run `millpond build --as-of 2023-05-03`"
        ):
            pipeline.train("repurchase_timing", as_of=date(2023, 5, 3))

    # Trains every model once more.
    @pytest.mark.slow
    def test_second_run_changes_no_decision(self) -> None:
        query = "select * from decisions.next_best_actions order by customer_id, rank"
        before = ask(query)
        pipeline.build(as_of=AS_OF)
        pipeline.publish()
        trained = learn_and_decide()
        assert ask(query) == before
        assert ask("select count(distinct model_version) from predictions.response_propensity") == [(1,)]
        assert trained["repurchase_timing"].figures is not None


def build_features(as_of: date, *arguments: str, nodes: Sequence[str] = ("+features", "+customer_keys")) -> None:
    """Only what features need and who is who, without tests of data and however many raw rows are rejected."""
    with lake.writing():
        dbt.build(
            "--select",
            *nodes,
            "--exclude-resource-type",
            "test",
            *arguments,
            variables={"as_of_date": as_of.isoformat(), "max_quarantine_share": 1},
            on_node=pipeline.nothing,
        )


@pytest.mark.slow
def test_history_built_in_steps_equals_a_full_rebuild(shop: Path, home: Path) -> None:
    """Observations are appended while late and corrected rows arrive; computing all at once gives the same rows."""
    shutil.copytree(shop, home / "raw")
    query = "select * from features.{} order by all"
    for as_of in (date(2023, 10, 3), date(2024, 1, 9), AS_OF):
        build_features(as_of)
    in_steps = [ask(query.format(view)) for view in VIEWS]
    build_features(AS_OF, "--full-refresh")
    assert [ask(query.format(view)) for view in VIEWS] == in_steps
    # The earlier as-of dates are off the weekly grid, and still there.
    assert {date(2023, 10, 3), date(2024, 1, 9)} < {row[-1] for row in in_steps[0]}


@pytest.mark.slow
def test_rows_that_arrive_later_the_same_day_are_seen(built_shop: Path, home: Path) -> None:
    """The observation of tomorrow, made at noon, is made again when the afternoon's invoice has arrived."""
    shutil.copytree(built_shop, home)
    customer = ask("select record_id from intermediate.int_customer_keys_united where customer_key = 'c1'")[0][0]
    rhythm = f"select customer_id, frequency from features.customer_rhythm where observation_date = '{AS_OF}'"
    query = f"select frequency from ({rhythm}) where customer_id = '{customer}'"
    (before,) = ask(query)[0]
    invoice = "'shop' as source_system, 'evening' as invoice_id"
    afternoon = {
        "invoices/invoices": f"{invoice}, timestamp '2024-02-05 17:00' as invoiced_at, 'c1' as customer_key",
        "invoices/lines": f"{invoice}, 1 as line_no, 'p1' as product_key, 1 as quantity, 5.0 as net_amount",
    }
    for table, columns in afternoon.items():
        duckdb.sql(f"copy (select {columns}) to '{home}/raw/{table}/late.parquet' (format parquet)")
    build_features(AS_OF)
    assert ask(query) == [(before + 1,)]


def forget_rows_from(raw: Path, cut: date) -> None:
    """Drop what reached us on or after a date, and the lines of dropped invoices."""
    kept = {
        "invoices/invoices": f"coalesce(known_at, invoiced_at) < '{cut}'",
        "communications/campaigns": f"coalesce(known_at, starts_at) < '{cut}'",
        "communications/messages": f"sent_at < '{cut}'",
        "communications/events": f"coalesce(known_at, occurred_at) < '{cut}'",
        "invoices/lines": f"coalesce(known_at, '{cut}'::date - 1) < '{cut}'"
        f" and invoice_id in (select invoice_id from '{raw}/invoices/invoices/shop.parquet')",
    }
    for table, condition in kept.items():
        file = raw / table / "shop.parquet"
        duckdb.sql(f"copy (from '{file}' where {condition}) to '{file}.kept' (format parquet)")
        Path(f"{file}.kept").replace(file)
