"""Events between builds: what is recorded is online at once, and the next build says the same."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from feast import FeatureStore
from feast.data_source import PushMode
from typer.testing import CliRunner

from feast_lake import LakeError, publish_view
from millpond import (
    auditing,
    cli,
    dbt,
    errors,
    event_kinds,
    events,
    features,
    lake,
    live,
    pipeline,
    publishing,
    pushing,
    settings,
)
from millpond.reader import Reader
from training import model_store

NEXT_DAY = date(2024, 2, 7)
NOW = datetime(2024, 2, 6, 18, tzinfo=UTC)
LINE = {"line_no": 1, "product_key": "p1", "quantity": 1, "net_amount": 5}


def at(hour: int, day: int = 6) -> datetime:
    return datetime(2024, 2, day, hour, tzinfo=UTC)


def invoice(customer: str, when: datetime, **changes: Any) -> dict[str, Any]:
    number = f"{customer}-{when:%d%H}"
    row = {
        "source_system": "shop",
        "invoice_id": number,
        "customer_key": customer,
        "invoiced_at": when,
        "lines": [LINE],
    }
    return row | changes


def message_event(customer: str, when: datetime) -> dict[str, Any]:
    return {"source_system": "shop", "message_id": f"m0-{customer[1:]}", "occurred_at": when}


def visit(customer: str, when: datetime) -> dict[str, Any]:
    number = f"{customer}-{when:%d%H}"
    return {"source_system": "shop", "visit_id": number, "customer_key": customer, "visited_at": when, "channel": "web"}


def build(as_of: date) -> None:
    """Only what features need, without tests of data; then publish."""
    nodes = ("--select", "+features", "+messages", "+customer_keys", "--exclude-resource-type", "test")
    with lake.writing():
        dbt.build(*nodes, variables={"as_of_date": as_of.isoformat()}, on_node=pipeline.nothing)
    pipeline.publish()


@pytest.fixture(scope="module")
def store(built_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    """The feature store of a shop that was built and published this morning."""
    home = tmp_path_factory.mktemp("real_time") / "home"
    shutil.copytree(built_shop, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        yield features.store()


def customer_id(key: str) -> str:
    with lake.connect() as connection:
        found = connection.execute("select customer_id from marts.customer_keys where customer_key = ?", [key])
        return str(found.fetchall()[0][0])


def online(store: FeatureStore, key: str, asked: datetime | None = NOW) -> dict[str, Any]:
    row = {"customer_id": customer_id(key), "request_time": asked}
    return {
        name: values[0]
        for name, values in store.get_online_features(store.get_feature_service("real_time"), [row]).to_dict().items()
    }


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    return {name: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for name, v in row.items()}


def record(store: FeatureStore, kind: str, *rows: dict[str, Any]) -> events.Recorded:
    return events.record(kind, rows, store=store, known_at=NOW)


class TestRecording:
    def test_a_purchase_is_online_at_once(self, store: FeatureStore) -> None:
        assert online(store, "c1")["bought_today"] is False
        assert record(store, "purchase", invoice("c1", at(10))) == events.Recorded(1, 1, {})
        found = online(store, "c1")
        assert found["last_purchase_at"] == at(10)
        assert (found["days_since_last_purchase_now"], found["bought_today"]) == (0, True)
        assert online(store, "c1", datetime(2024, 2, 9, tzinfo=UTC))["days_since_last_purchase_now"] == 3

    def test_an_older_purchase_that_is_recorded_later_changes_nothing_online(self, store: FeatureStore) -> None:
        older = record(store, "purchase", invoice("c1", at(8)))
        assert older == events.Recorded(1, 0, {"not newer than what is online": 1})
        assert online(store, "c1")["last_purchase_at"] == at(10)

    def test_an_older_row_that_is_pushed_past_the_recording_changes_nothing_online(self, store: FeatureStore) -> None:
        record(store, "purchase", invoice("c2", at(11)))
        for hour in (12, 9):
            row = {"customer_id": customer_id("c2"), "last_purchase_at": at(hour), "observation_date": at(hour)}
            store.push("purchase", pd.DataFrame([row]), to=PushMode.ONLINE)
        assert online(store, "c2")["last_purchase_at"] == at(12)

    def test_the_newest_of_several_purchases_counts_in_any_order(self, store: FeatureStore) -> None:
        rows = [invoice("c4", at(hour)) for hour in (9, 14, 12)]
        assert record(store, "purchase", *rows).pushed == 1
        assert online(store, "c4")["last_purchase_at"] == at(14)

    def test_a_late_purchase_of_yesterday_is_online_although_today_was_published(self, store: FeatureStore) -> None:
        assert online(store, "c5")["last_purchase_at"] < at(23, day=5)
        assert record(store, "purchase", invoice("c5", at(23, day=5))).pushed == 1
        found = online(store, "c5")
        assert (found["last_purchase_at"], found["bought_today"]) == (at(23, day=5), False)

    def test_a_late_visit_of_yesterday_outlives_the_publishing_of_today(self, store: FeatureStore) -> None:
        view = store.get_feature_view("last_visit")
        start, yesterday, today = (datetime(2024, *day, tzinfo=UTC) for day in ((1, 20), (2, 5), (2, 6)))
        publish_view(store, view, start=start, end=yesterday)
        assert record(store, "visit", visit("c9", at(23, day=5))).pushed == 1
        publish_view(store, view, start=start, end=today)
        assert online(store, "c9")["last_visit_at"] == at(23, day=5)

    def test_a_return_is_no_purchase(self, store: FeatureStore) -> None:
        returned = LINE | {"line_no": 2, "quantity": -1, "net_amount": -5}
        back = invoice("c6", at(10), lines=[LINE, returned])
        credit = invoice("c6", at(11), lines=[returned], invoice_type="credit_note")
        before = online(store, "c6")
        assert record(store, "purchase", back, credit) == events.Recorded(2, 0, {"no purchase": 2})
        assert online(store, "c6") == before

    def test_an_unsubscribe_a_click_and_a_visit_are_online_at_once(self, store: FeatureStore) -> None:
        assert online(store, "c7")["unsubscribed_now"] is False
        record(store, "unsubscribe", message_event("c7", at(9)))
        record(store, "click", message_event("c7", at(8)))
        record(store, "visit", visit("c7", at(7)))
        found = online(store, "c7")
        assert found["unsubscribed_now"] is True
        assert (found["last_unsubscribe_at"], found["last_click_at"], found["last_visit_at"]) == (at(9), at(8), at(7))

    def test_a_reader_computes_nothing_from_what_is_too_old(self, store: FeatureStore) -> None:
        reader = Reader("real_time", store=store)
        # A moment without zone is UTC.
        moments = (NOW.replace(tzinfo=None), NOW + timedelta(days=30))
        (fresh,), (stale,) = (reader.read([customer_id("c7")], at=moment) for moment in moments)
        assert (fresh.values["unsubscribed_now"], fresh.stale) == (True, ())
        assert set(stale.stale) == {kind.view for kind in event_kinds.KINDS.values()}
        assert set(stale.values.values()) == {None}

    def test_what_a_reader_cannot_read_by_is_one_line(self, store: FeatureStore) -> None:
        reader = Reader("real_time", store=store)
        for keys, moment, message in (
            ("c7", NOW, r"keys are the text 'c7'; give a list of keys, such as \['c7'\]"),
            ([7], NOW, "key 7: real_time is read by customer_id; give each of them, as text"),
            (["c7"], NOW.date(), r"at is datetime.date\(2024, 2, 6\); expected a datetime"),
        ):
            with pytest.raises(errors.UnknownFeatures, match=message):
                reader.read(keys, at=moment)  # type: ignore[arg-type]
        with pytest.raises(errors.UnknownFeatures, match="request_time is '2024-02-06'; expected a datetime"):
            reader.read(["c7"], at=NOW, request_time="2024-02-06")

    def test_history_without_the_moment_of_request_is_one_line(self, store: FeatureStore) -> None:
        service = store.get_feature_service("real_time")
        rows = "select 'c7' as customer_id, date '2024-02-07' as event_timestamp"
        for request, message in (
            ("", "entity_df has no column 'request_time', which customer_now computes with"),
            (", '2024-02-07' as request_time", "Column 'request_time' of entity_df is string; customer_now computes"),
        ):
            with pytest.raises(LakeError, match=message):
                store.get_historical_features(f"{rows}{request}", service)

    def test_an_unknown_service_cannot_be_audited(self, store: FeatureStore) -> None:
        done = CliRunner().invoke(cli.app, ["audit", "churn"])
        assert isinstance(done.exception, errors.UnknownFeatures)
        assert "no feature service 'churn'; there are: customer_360, real_time" in str(done.exception)

    def test_without_a_moment_of_request_nothing_holds_now(self, store: FeatureStore) -> None:
        found = online(store, "c7", None)
        names = ("days_since_last_purchase_now", "bought_today", "unsubscribed_now")
        assert [found[name] for name in names] == [None] * 3

    def test_events_of_unknown_customers_land_and_wait(self, store: FeatureStore) -> None:
        waiting = {"of no customer that the lake knows": 1}
        assert record(store, "purchase", invoice("new", at(10))) == events.Recorded(1, 0, waiting)
        assert record(store, "purchase", invoice("", at(9), customer_key=None)).waiting == waiting
        assert record(store, "click", message_event("c9999", at(8))).waiting == waiting

    def test_a_file_is_recorded_by_the_command(self, store: FeatureStore, tmp_path: Path) -> None:
        file = tmp_path / "visits.csv"
        file.write_text(
            "source_system,visit_id,customer_key,visited_at,category\nshop,w1,c8,2024-02-05T21:00:00+02:00,\n"
        )
        done = CliRunner().invoke(cli.app, ["record", "visit", str(file)])
        assert done.output == "Recorded 1 events of kind visit, refreshed 1 customers online.\n"
        assert online(store, "c8")["last_visit_at"] == at(19, day=5)
        # It was recorded today and not in 2024, so the build of that time must not know it.
        assert raw("communications/visits", "visit_id = 'w1' and known_at > timestamp '2026-01-01'") == 1

    def test_the_next_build_says_what_was_pushed(self, store: FeatureStore) -> None:
        customers = [f"c{number}" for number in (1, 4, 5, 6, 7)]
        pushed = {customer: online(store, customer) for customer in customers}
        build(NEXT_DAY)
        assert {customer: online(store, customer) for customer in customers} == pushed
        assert online(store, "new")["last_purchase_at"] == at(10)

    def test_history_says_what_held_at_each_request(self, store: FeatureStore) -> None:
        asked = pd.Timestamp("2024-02-07 06:00")
        rows = pd.DataFrame({"customer_id": [customer_id("c1"), "nobody"], "event_timestamp": asked})
        found = store.get_historical_features(
            rows.assign(request_time=asked), store.get_feature_service("real_time")
        ).to_arrow()
        assert found["days_since_last_purchase_now"].to_pylist() == [1, None]
        assert found["bought_today"].to_pylist() == [False, None]

    @pytest.mark.parametrize("days", [0, 30])
    def test_history_and_a_reader_say_the_same_of_everybody_known_too_old_or_unknown(
        self, store: FeatureStore, days: int
    ) -> None:
        asked = datetime(2024, 2, 7, 6, tzinfo=UTC) + timedelta(days=days)
        with lake.connect() as connection:
            # But of c8, whose visit was recorded after that build.
            found = connection.execute("select customer_id from marts.customer_keys where customer_key != 'c8'")
            customers = [row[0] for row in found.fetchall()]
        rows = pd.DataFrame({"customer_id": [*customers, "nobody"], "event_timestamp": asked, "request_time": asked})
        reader = Reader("real_time", store=store)
        history = store.get_historical_features(rows, store.get_feature_service("real_time")).to_arrow()
        expected = history.select(reader.feature_names).to_pylist()
        served = [vector.values for vector in reader.read([*customers, "nobody"], at=asked)]
        assert served == [_in_utc(row) for row in expected]
        assert {row["unsubscribed_now"] for row in expected} == ({None} if days else {True, False, None})


def change_lake() -> None:
    """A new state of the lake, as a model that scores leaves it: what was published before is published anew."""
    with lake.writing(), lake.connect(read_only=False) as connection:
        connection.execute("create schema if not exists measurement")
        connection.execute("create or replace table measurement.touched as select now() as touched_at")


class TestPublishingAgain:
    """The lake was built as of tomorrow, while the day goes on."""

    def test_an_event_that_the_build_could_not_know_outlives_its_publishing(self, store: FeatureStore) -> None:
        assert record(store, "visit", visit("c3", at(17))).pushed == 1
        change_lake()
        pipeline.publish()
        assert online(store, "c3")["last_visit_at"] == at(17)

    def test_an_event_recorded_later_replaces_the_one_before_it(self, store: FeatureStore) -> None:
        for hour in (14, 16, 15):
            record(store, "visit", visit("c10", at(hour)))
        assert online(store, "c10")["last_visit_at"] == at(16)

    def test_an_event_is_not_taken_for_the_observation_of_the_date_to_come(self, store: FeatureStore) -> None:
        with Reader("real_time", store=store, is_logged=True) as reader:
            (vector,) = reader.read([customer_id("c3")], at=NOW)
        assert vector.values["last_visit_at"] == at(17)
        audited = auditing.audit(store, [store.get_feature_service("real_time")])
        [found] = [one for one in audited if one.feature == "last_visit_at"]
        assert (found.compared, found.wrong, found.unproven) == (0, 0, 1)

    def test_an_event_whose_recording_was_killed_before_its_push_is_published(
        self, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(pushing, "push", killed)
            with pytest.raises(KeyboardInterrupt):
                record(store, "unsubscribe", message_event("c11", at(13)))
        assert online(store, "c11")["unsubscribed_now"] is False
        pipeline.publish()
        assert online(store, "c11")["last_unsubscribe_at"] == at(13)
        # It is in the file of an unsubscribe.
        assert online(store, "c11")["last_click_at"] != at(13)

    def test_a_lake_that_goes_back_to_today_takes_back_no_event_of_today(self, store: FeatureStore) -> None:
        assert online(store, "new")["last_purchase_at"] == at(10)
        publishing.publish(store, as_of=NOW.date(), on_view=pipeline.nothing)
        found = {key: online(store, key) for key in ("c1", "c3", "c5", "c7")}
        assert (found["c1"]["last_purchase_at"], found["c3"]["last_visit_at"]) == (at(10), at(17))
        assert (found["c5"]["last_purchase_at"], found["c7"]["last_unsubscribe_at"]) == (at(23, day=5), at(9))


def drift(*words: str) -> tuple[int, str]:
    """Exit code of the command, and the mistake that it names."""
    done = CliRunner().invoke(cli.app, ["drift", *words])
    if isinstance(done.exception, errors.UserError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, ""


def drifts(condition: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(
            f"select feature, is_drifted, null_share_now from measurement.feature_drift where {condition} order by 1"
        ).fetchall()


@pytest.mark.usefixtures("store")
class TestDrift:
    def test_without_a_model_the_training_is_named(self) -> None:
        assert drift() == (19, "no model in use has learnt from observations of this lake: run `millpond train` first")

    def test_nothing_has_drifted_on_the_day_of_training(self) -> None:
        model_store.keep(
            settings.models_folder(),
            "repurchase_timing",
            as_of=pipeline.built_as_of(),
            write=lambda folder: None,
            describe=lambda folder, version: None,
        )
        assert drift() == (0, "")
        assert len(drifts("psi = 0 and not is_drifted and reference_to = observation_date")) == len(drifts("true")) > 40

    def test_planted_drift_is_named_unless_it_is_ignored(self) -> None:
        newest = f"observation_date = '{pipeline.built_as_of()}'"
        with lake.writing(), lake.connect(read_only=False) as connection:
            connection.execute(f"update features.customer_profile set country = 'IT' where {newest}")
            connection.execute(f"update features.customer_rhythm set gap_days_max = null where {newest}")
            # Training saw the observation before it.
            dates = connection.execute("select distinct observation_date from features.customer_rhythm order by 1")
            trained = dates.fetchall()[-2][0]
        store_folder = settings.models_folder() / "repurchase_timing"
        version = f"{trained}-00000000"
        (store_folder / version).mkdir()
        model_store.promote(settings.models_folder(), "repurchase_timing", version)
        code, message = drift("--threshold", "1")
        assert code == 35
        assert message.startswith("2 of ")
        assert "features drifted beyond 1, most customer_" in message
        assert drifts("is_drifted") == [("country", True, 0.0), ("gap_days_max", True, 1.0)]
        assert drift("--threshold", "1", "--ignore", "country", "--ignore", "gap_days_max") == (0, "")


def raw(table: str, condition: str = "true") -> int:
    files = f"{settings.raw_folder()}/{table}/recorded-*.parquet"
    return int(duckdb.sql(f"select count(*) from '{files}' where {condition}").fetchall()[0][0])


@pytest.mark.usefixtures("home")
class TestWithoutALake:
    def test_events_land_before_anything_was_built(self) -> None:
        done = events.record("purchase", [invoice("c1", at(10))], known_at=NOW)
        assert done == events.Recorded(1, 0, {"no lake was built": 1})
        assert (raw("invoices/invoices"), raw("invoices/lines")) == (1, 1)

    def test_an_invoice_of_two_lines_may_come_as_two_rows(self) -> None:
        flat = {name: value for name, value in invoice("c1", at(10)).items() if name != "lines"}
        rows = pd.DataFrame([flat | LINE, flat | LINE | {"line_no": 2, "net_amount": None}])
        assert events.record("purchase", rows, known_at=NOW).landed == 1
        assert (raw("invoices/invoices"), raw("invoices/lines")) == (1, 2)
        assert raw("invoices/lines", "net_amount is null and known_at = timestamp '2024-02-06 18:00'") == 1

    def test_recording_twice_makes_two_files(self) -> None:
        for _ in range(2):
            events.record("visit", [visit("c1", at(7))], known_at=NOW)
        assert raw("communications/visits") == 2

    def test_a_channel_is_recorded_in_the_spelling_that_a_build_gives_it(self) -> None:
        events.record("visit", [visit("c1", at(7)) | {"channel": " Web "}], known_at=NOW)
        assert raw("communications/visits", "channel = 'web'") == 1

    def test_no_events_are_no_file(self) -> None:
        assert events.record("visit", []) == events.Recorded(0, 0, {})
        assert not list(settings.home().glob("raw/*/*/*"))

    @pytest.mark.parametrize(
        ("kind", "row", "message"),
        [
            ("gift", {}, "unknown kind of event 'gift': choose one of purchase, click, visit, unsubscribe"),
            ("visit", {"source_system": "shop"}, "row 1 of communications/visits: visit_id is missing"),
            ("visit", visit("c1", at(7)) | {"channel": "moon"}, "channel is 'moon'; expected one of web, app, store"),
            ("visit", visit("c1", at(7)) | {"visited_at": "Tuesday"}, "visited_at is 'Tuesday'; expected a ts"),
            ("visit", visit("c1", at(7)) | {"visited_at": "2024-02-45"}, "is not of its types: .*2024-02-45"),
            ("visit", visit("c1", at(19)), "visited_at is 2024-02-06 19:00:00, after 2024-02-06 18:00:00, the moment"),
            ("visit", visit("c1", at(7)) | {"colour": 1}, "unknown column colour; expected some of source_system, vis"),
            ("visit", visit("c1", at(7)) | {"known_at": at(7)}, "known_at is the moment of recording: leave it out"),
            ("click", message_event("c1", at(7)) | {"event_type": "opened"}, "event_type is 'opened'; expected 'clic"),
            ("purchase", invoice("c1", at(7), lines=[]), "invoice c1-0607 has no lines"),
            ("purchase", invoice("c1", at(7), lines=None), "invoice c1-0607 has no lines"),
            ("purchase", invoice("c1", at(7), lines="bread"), "lines of invoice c1-0607 are 'bread'; expected a list"),
            ("purchase", invoice("c1", at(7), lines=5), "lines of invoice c1-0607 are 5; expected a list of rows"),
            ("purchase", invoice("c1", at(7), lines=[{"line_no": 1}]), "row 1 of invoices/lines: product_key is miss"),
        ],
    )
    def test_a_bad_event_is_one_line_and_nothing_is_written(self, kind: str, row: dict[str, Any], message: str) -> None:
        with pytest.raises(errors.BadEvent, match=message):
            events.record(kind, [row], known_at=NOW)
        assert not list(settings.home().glob("raw/*/*/*"))

    @pytest.mark.parametrize("rows", ["visit", [["v1"]]])
    def test_what_is_no_list_of_rows_is_one_line(self, rows: Any) -> None:
        with pytest.raises(errors.BadEvent, match="events are no rows: give a list of dicts, or a data frame"):
            events.record("visit", rows)

    def test_a_line_end_in_quotes_is_part_of_a_value(self, tmp_path: Path) -> None:
        (tmp_path / "events.csv").write_text('visit_id,category\nv1,"Bread,\nand\u2028more"\n')
        assert live._rows(tmp_path / "events.csv") == [{"visit_id": "v1", "category": "Bread,\nand\u2028more"}]

    def test_a_full_disk_is_one_line_and_nothing_is_recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(events.pq, "write_table", full)
        with pytest.raises(errors.DiskFull, match="is full: free some space, then run this again"):
            events.record("visit", [visit("c1", at(7))], known_at=NOW)
        assert not list(settings.home().glob("raw/*/*/*"))

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("events.txt", "[]", "expected .json, .csv or .parquet"),
            ("events.json", json.dumps({"visit_id": 1}), "expected a list of objects"),
            ("events.json", "{", "holds no events: Expecting property name"),
            ("events.parquet", "PAR", "holds no events"),
            ("events.csv", "visit_id\n" + "1" * 200_000, "holds no events: field larger than field limit"),
        ],
    )
    def test_a_file_that_holds_no_events_is_named(self, tmp_path: Path, name: str, text: str, message: str) -> None:
        (tmp_path / name).write_text(text)
        done = CliRunner().invoke(cli.app, ["record", "visit", str(tmp_path / name)])
        assert isinstance(done.exception, errors.BadEvent)
        assert message in str(done.exception)
