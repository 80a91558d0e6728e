"""Erasing a person, as a user does it; the search for traces here is the test's own."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from test_loop import AS_OF, VIEWS, ask, build_features
from typer.testing import CliRunner

from millpond import checking, cli, erasure, errors, forgetting, health, lake, maintenance, pipeline, synthetic

# Builds many times over.
pytestmark = pytest.mark.slow

# Features that compare with all customers: those of dates before keep the sums that she was part of.
COMPARING = ("customer_channels", "customer_products")

ZOE = "shop/zoe-4711"
KEYS = ("zoe-4711", "zoe-card-0042")
CONTACTS = ("zoe.quill@example.org", "Zoe.Quill@example.org", "+49 170 4711 0815", "zoe-loyal")

# Beside the shop's rows: Zoe, who is in every raw table, in two systems, and in rows that the contract rejects.
ROWS = {
    "crm/customers/zoe.csv": """
        source_system,customer_key,email,phone,loyalty_key,created_at,known_at,attributes,is_deleted
        shop,zoe-4711,Zoe.Quill@example.org,+49 170 4711 0815,zoe-loyal,2023-01-10,,,
        shop,zoe-4711,zoe.quill@example.org,+49 170 4711 0815,zoe-loyal,2023-01-10,2023-05-01,,
        shop,zoe-4711,zoe.quill@example.org,,,2023-01-10,2023-06-01,,perhaps
        till,zoe-card-0042,,,,2023-02-10,,,
        shop,amy,amy@example.org,,,2023-01-10,,,
    """,
    "crm/consents/zoe.csv": """
        source_system,customer_key,channel,status,effective_at
        shop,zoe-4711,email,granted,2023-02-01
        shop,zoe-4711,pigeon,granted,2023-02-01
    """,
    "crm/occasions/zoe.csv": """
        source_system,customer_key,occasion,occurs_on
        shop,zoe-4711,birthday,2023-03-01
        shop,amy,birthday,2023-03-02
    """,
    "crm/cases/zoe.csv": """
        source_system,case_id,customer_key,opened_at,body,satisfaction
        shop,case-1,zoe-4711,2023-03-01,"Write to zoe.quill@example.org,
        please",0.5
        shop,case-2,amy,2023-03-01,hello,0.5
        shop,case-3,zoe-4711,2023-03-01,zoe.quill@example.org,7
    """,
    "crm/assets/zoe.csv": """
        source_system,asset_id,customer_key,acquired_at
        shop,zoe-boat,zoe-4711,2023-03-01
        shop,amy-boat,amy,2023-03-01
    """,
    "crm/asset_readings/zoe.csv": """
        source_system,asset_id,measured_at,metric,value
        shop,zoe-boat,2023-03-02,hours,3
        shop,amy-boat,2023-03-02,hours,4
    """,
    "invoices/invoices/zoe.csv": """
        source_system,invoice_id,invoiced_at,customer_key
        shop,z1,2023-03-01,zoe-4711
        till,z2,2023-03-02,zoe-card-0042
        shop,z3,2023-02-30,zoe-4711
        shop,a1,2023-03-02,amy
    """,
    "invoices/lines/zoe.csv": """
        source_system,invoice_id,line_no,product_key,quantity,net_amount
        shop,z1,1,p1,1,10
        till,z2,1,p1,1,20
        shop,a1,1,p1,1,40
    """,
    "communications/messages/zoe.csv": """
        source_system,message_id,customer_key,sent_at,channel,campaign_id,logging_probability
        shop,zoe-m1,zoe-4711,2023-04-10,post,letter1,
        shop,zoe-m2,zoe-4711,2023-05-20,post,letter2,2
        shop,amy-m1,amy,2023-04-10,post,letter1,
    """,
    "communications/events/zoe.csv": """
        source_system,message_id,event_type,occurred_at
        shop,zoe-m1,redeemed,2023-04-12
        shop,zoe-m2,redeemed,2023-05-22
        shop,amy-m1,redeemed,2023-04-12
    """,
    "communications/visits/zoe.csv": """
        source_system,visit_id,customer_key,visited_at,channel
        shop,v1,zoe-4711,2023-04-12,web
        shop,v2,amy,2023-04-12,web
    """,
}


# So many good rows of Amy that the bad ones of Zoe do not stop a build.
AMY = {
    "crm/consents/amy.csv": (
        "source_system,customer_key,channel,status,effective_at",
        "shop,amy,app,granted,2023-03-{}",
    ),
    "crm/cases/amy.csv": ("source_system,case_id,customer_key,opened_at", "shop,amy-{0},amy,2023-03-{0}"),
    "crm/asset_readings/amy.csv": (
        "source_system,asset_id,measured_at,metric,value",
        "shop,amy-boat,2023-03-{0},hours,{0}",
    ),
}


def land(raw: Path) -> None:
    files = {name: [line.strip() for line in text.strip().splitlines()] for name, text in ROWS.items()}
    files |= {name: [head, *(row.format(day) for day in range(10, 31))] for name, (head, row) in AMY.items()}
    for name, lines in files.items():
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("\n".join(lines) + "\n")


def millpond(*words: str) -> Any:
    return CliRunner().invoke(cli.app, [*words], catch_exceptions=True, env={"COLUMNS": "200", "TERM": "dumb"})


def values_of(file: Path) -> Iterator[str]:
    """Everything that a file says, decoded."""
    # A journal goes into its database when that is read.
    if not file.exists():
        return
    content = file.read_bytes()
    yield content.decode("utf-8", errors="replace")
    if content.startswith(b"SQLite format 3"):
        with sqlite3.connect(file) as database:
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                yield from (str(row) for row in database.execute(f'select * from "{table}"'))
        database.close()
    if content.startswith(b"PAR1"):
        yield from (str(row) for row in pq.read_table(file).to_pylist())


def named_in(home: Path, *words: str) -> set[str]:
    files = [file for file in home.rglob("*") if file.is_file()]
    return {str(f.relative_to(home)) for f in files if any(word in said for said in values_of(f) for word in words)}


def content(but: set[str]) -> dict[str, list[Any]]:
    """Rows of the tables of customers, but those of some."""
    with lake.connect() as connection:
        tables = connection.execute(
            "select distinct schema_name || '.' || table_name from duckdb_columns() "
            "where database_name = 'lake' and column_name = 'customer_id' and not internal order by all"
        ).fetchall()
        listed = ", ".join(f"'{one}'" for one in {"", *but})
        # Guests, who have no id, are left out.
        where = f"where customer_id not in ({listed})"
        return {name: connection.execute(f"from {name} {where} order by all").fetchall() for (name,) in tables}


SALES = """
    select lines.invoiced_date, sum(net_amount), count(*)
    from intermediate.int_invoice_lines_versioned as lines group by all order by all
"""


@pytest.fixture(scope="module")
def erased(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A home in which the loop ran, and Zoe was erased; with what was there before."""
    home = tmp_path_factory.mktemp("erased") / "home"
    shutil.copytree(shop, home / "raw")
    land(home / "raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        pipeline.build(as_of=AS_OF)
        pipeline.publish()
        for model in ("repurchase_timing", "response_propensity"):
            pipeline.train(model)
        pipeline.score()
        pipeline.decide()
        ids = {row[0] for row in ask("select customer_id from marts.customer_keys where customer_key like 'zoe%'")}
        (home / "logs" / "notes.log").write_text("a line\nodd: shop, customer zoe-4711\nzoe.quill@example.org\n")
        before = {"ids": ids, "content": content(ids), "sales": ask(SALES), "named": named_in(home, *KEYS, *ids)}
        shutil.copytree(home / "raw", home.parent / "raw")
        yield {**before, "home": home, "done": millpond("erase", ZOE, "till/zoe-card-0042", "--yes")}


class TestErased:
    def test_said_where_she_was_and_that_no_file_names_her(self, erased: dict[str, Any]) -> None:
        assert erased["done"].exit_code == 0, erased["done"].output
        assert "raw/crm/cases: 2\n" in erased["done"].output
        assert erased["done"].output.endswith("Every file was read: none names them.\n")

    def test_no_file_of_the_home_names_her(self, erased: dict[str, Any]) -> None:
        places = {name.split("/")[0] for name in erased["named"]}
        assert places >= {"raw", "lake", "online", "logs"}
        assert named_in(erased["home"], *KEYS, *CONTACTS, *erased["ids"], "zoe-m", "zoe-boat") == set()

    def test_rows_of_others_are_as_before(self, erased: dict[str, Any]) -> None:
        after = content(set())
        assert after.keys() == erased["content"].keys()
        assert {name for name in after if after[name] != erased["content"][name]} == set()

    def test_sums_of_every_day_are_as_before(self, erased: dict[str, Any]) -> None:
        assert ask(SALES) == erased["sales"]
        assert ask("select distinct customer_id from marts.invoices where invoice_id in ('z1', 'z2')") == [(None,)]
        assert ask("select raw_row ->> 'customer_key' from marts.quarantine where raw_row like '%\"z3\"%'") == [(None,)]

    def test_the_past_of_the_lake_is_gone(self, erased: dict[str, Any]) -> None:
        assert ask("select count(*) from ducklake_snapshots('lake')") == [(1,)]

    def test_erasing_again_finds_nothing_and_ends_well(self, erased: dict[str, Any]) -> None:
        again = millpond("erase", ZOE, "--yes")
        assert (again.exit_code, again.output) == (0, "Every file was read: none names them.\n")

    def test_builds_bring_nothing_of_her_back(self, erased: dict[str, Any]) -> None:
        answers = []
        for full_refresh in (False, True):
            pipeline.build(as_of=AS_OF, full_refresh=full_refresh)
            answers.append([ask(f"from features.{view} order by all") for view in VIEWS if view not in COMPARING])
        pipeline.publish()
        assert answers[0] == answers[1]
        assert named_in(erased["home"], *KEYS, *CONTACTS, *erased["ids"], "zoe-m", "zoe-boat") == set()


def test_file_landed_again_does_not_bring_a_person_back(shop: Path, home: Path) -> None:
    shutil.copytree(shop, home / "raw")
    land(home / "raw")
    build_features(AS_OF)
    (ids,) = ask("select list(customer_id) from marts.customer_keys where customer_key like 'zoe%'")[0]
    names = erasure.whom([ZOE, "till/zoe-card-0042"])
    assert erasure.erase(names, on_step=pipeline.nothing)[1] == []

    land(home / "raw")
    assert not next(check for check in health.check() if check.what == "erased customers").is_well
    reasons = checking.check_raw(home / "raw", on_node=pipeline.nothing).reasons
    assert ("communications/visits", "customer was erased", 1) in [reason[:3] for reason in reasons]
    pipeline.build(as_of=AS_OF)
    in_lake = named_in(home / "lake", *KEYS, *CONTACTS, *ids, "zoe-m", "zoe-boat")
    assert in_lake == set()
    assert ask("select customer_id from marts.invoices where invoice_id in ('z1', 'z2')") == [(None,), (None,)]
    assert ask("from marts.load_audit where rows_read != accepted + superseded + duplicates + rejected") == []
    assert ask("select count(*) from marts.visits where visit_id in ('v1', 'v2')") == [(1,)]

    maintenance.maintain(keep_days=30, on_step=pipeline.nothing)
    assert named_in(home, *KEYS, *CONTACTS, *ids, "zoe-m", "zoe-boat") == set()
    assert next(check for check in health.check() if check.what == "erased customers").is_well


def test_data_set_landed_again_leaves_out_who_was_erased(home: Path) -> None:
    synthetic.land(customers=20, seed=1, days=60, has_dirt=False)
    customers = f"'{home}/raw/crm/customers/*.parquet'"
    system, key = duckdb.sql(f"select source_system, customer_key from {customers} order by all").fetchall()[0]
    assert erasure.erase(erasure.whom([f"{system}/{key}"]), on_step=pipeline.nothing)[1] == []
    synthetic.land(customers=20, seed=1, days=60, has_dirt=False)
    assert duckdb.sql(f"from {customers}").fetchall()
    assert named_in(home, key) == set()


def test_erasure_killed_at_any_step_is_completed_by_the_next(
    shop: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(shop, home / "raw")
    land(home / "raw")
    build_features(AS_OF)
    (who,) = ask("select customer_id from marts.customer_keys where customer_key = 'zoe-4711'")[0]
    forget_in, calls = forgetting.forget_in, []

    def killed(*_: object) -> Any:
        raise KeyboardInterrupt

    def killed_at_the_third_file(*arguments: Any) -> int:
        calls.append(arguments)
        return forget_in(*arguments) if len(calls) < 3 else killed()

    for module, step, kill in (
        (forgetting, "forget_in", killed_at_the_third_file),
        (erasure, "_online", killed),
        (maintenance, "forget_past", killed),
        (erasure, "_leftovers", killed),
        (erasure, "verify", killed),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, step, kill)
            with pytest.raises(KeyboardInterrupt):
                erasure.erase(erasure.whom([who]), on_step=pipeline.nothing)
        assert [check.is_well for check in health.check() if check.what == "erasure"] == [False]
    # The lake knows the id no longer; what was begun is known from its journal.
    assert erasure.erase(erasure.whom([who]), on_step=pipeline.nothing)[1] == []
    assert named_in(home, "zoe-4711", who, *CONTACTS, "zoe-m") == set()
    assert not erasure.journal().exists()


def test_quotation_in_the_row_of_another_is_named_until_it_is_mended(home: Path) -> None:
    land(home / "raw")
    other = home / "raw" / "crm" / "cases" / "quoting.csv"
    row = "source_system,case_id,customer_key,opened_at,body\nshop,case-9,amy,2023-03-05,{}\n"
    other.write_text(row.format("ask Zoe.Quill@example.org too"))
    found = millpond("erase", ZOE, "--yes")
    assert isinstance(found.exception, errors.TracesFound)
    assert "found in raw/crm/cases/quoting.csv: 1 rows\n" in found.output
    other.write_text(row.format("ask her too"))
    assert millpond("erase", ZOE, "--yes").exit_code == 0
    assert named_in(home, "zoe-4711", *CONTACTS) == set()


def test_unknown_customer_is_one_line_and_changes_nothing(home: Path) -> None:
    land(home / "raw")
    with pytest.raises(errors.UnknownCustomer, match=r"nobody in .* is called shop/zoe: expected a customer_id, or"):
        erasure.whom(["shop/zoe"])
    assert not (home / "erased.csv").exists()


def test_erasure_asks_first(home: Path) -> None:
    land(home / "raw")
    asked = CliRunner().invoke(cli.app, ["erase", ZOE], input="n\n")
    assert asked.exit_code == 1
    assert "shop/zoe-4711: 0 customers, 2 messages" in asked.output
    assert named_in(home, "zoe-4711")


def test_mail_shared_with_a_customer_who_stays_is_not_sought(home: Path) -> None:
    file = home / "raw" / "crm" / "customers" / "a.csv"
    file.parent.mkdir(parents=True)
    file.write_text("source_system,customer_key,email\nshop,ann,home@x.org\nshop,bob,HOME@x.org\n")
    assert erasure.erase(erasure.whom(["shop/ann"]), on_step=pipeline.nothing)[1] == []
    assert file.read_text() == "source_system,customer_key,email\nshop,bob,HOME@x.org\n"


def test_maintenance_leaves_fewer_files_and_the_same_content(home: Path) -> None:
    land(home / "raw")
    for number in range(6):
        duckdb.sql(
            f"copy (select 'shop' as source_system, 'v' || n as visit_id, 'amy' as customer_key, "
            f"timestamp '2023-05-01' + interval 1 day * {number} as visited_at from range({number * 50}, "
            f"{number * 50 + 50}) as visits(n)) to '{home}/raw/communications/visits/{number}.parquet'"
        )
        build_features(AS_OF)
    with lake.connect() as reader:
        before = content(set())
        counted = reader.execute("select count(*) from features.customer_rhythm").fetchall()
        was, now = maintenance.maintain(keep_days=0, on_step=pipeline.nothing)
        # Who has been reading goes on.
        assert reader.execute("select count(*) from features.customer_rhythm").fetchall() == counted
    assert now.files < was.files / 2
    assert content(set()) == before


def test_snapshot_of_a_current_model_stays(home: Path) -> None:
    land(home / "raw")
    build_features(AS_OF)
    first = ask("select max(snapshot_id) from ducklake_snapshots('lake')")[0][0]
    rows = ask("from features.customer_rhythm order by all")
    folder = home / "models" / "repurchase_timing" / "2024-02-06-1f0c9a2b"
    folder.mkdir(parents=True)
    (folder / "model_card.md").write_text(f"# A model\n\n## Lake snapshot\n\n{first}\n\n## Features\n\n- one\n")
    (folder.parent / "current").write_text(f"{folder.name}\n")
    build_features(AS_OF)
    maintenance.maintain(keep_days=0, on_step=pipeline.nothing)
    snapshots = [row[0] for row in ask("select snapshot_id from ducklake_snapshots('lake') order by 1")]
    assert snapshots[0] == first
    assert len(snapshots) == 2
    assert ask(f"from features.customer_rhythm at (version => {first}) order by all") == rows
