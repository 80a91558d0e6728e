"""What an erasure is made of: files without a person, tombstones, and the search for traces."""

import gzip
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

import feast_lake
from millpond import csv_records, erasure, errors, forgetting, lake, person, pipeline, settings, tombstones, traces

ANN = {
    "customer_id": {"72793ebab4f630b2"},
    "customer_key": {"shop/17"},
    "message_id": {"shop/m1"},
    "contact": {"ann@x.org"},
}

INVOICES = (
    b"source_system,invoice_id,invoiced_at,customer_key,note\r\n"
    b'shop,i1,2024-01-05,17,"said ""hi""\r\nand left"\r\n'
    b'shop,i2,2024-01-05,"17 ",\r\n'
    b"till,i3,2024-01-05,17,another 17\r\n"
    b'shop,"i4",2024-01-05,170,\n'
)


def forget(file: Path) -> int:
    with duckdb.connect() as connection:
        person.remember(connection, ANN)
        return forgetting.forget_in(connection, file, ANN)


def written(home: Path, name: str, content: bytes) -> Path:
    file = home / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def found(home: Path) -> list[traces.Trace]:
    with duckdb.connect() as connection:
        return traces.scan(connection, ANN)


def test_invoices_of_a_csv_become_those_of_guests_and_other_bytes_stay(home: Path) -> None:
    file = written(home, "raw/invoices/invoices/a.csv", INVOICES)
    assert forget(file) == 2
    assert file.read_bytes() == (
        b"source_system,invoice_id,invoiced_at,customer_key,note\r\n"
        b'shop,i1,2024-01-05,,"said ""hi""\r\nand left"\r\n'
        b"shop,i2,2024-01-05,,\r\n"
        b"till,i3,2024-01-05,17,another 17\r\n"
        b'shop,"i4",2024-01-05,170,\n'
    )


def test_messages_events_and_rows_without_a_system_go_from_a_csv(home: Path) -> None:
    messages = written(
        home,
        "raw/communications/messages/a.csv",
        b"\xef\xbb\xbfsource_system,message_id,customer_key\nshop,m1,17\nshop,m2,18\n,m3,17\n",
    )
    events = written(home, "raw/communications/events/a.csv", b"source_system,message_id\nshop,m1\nmailer,m1\n")
    assert [forget(messages), forget(events)] == [2, 1]
    assert messages.read_bytes() == b"\xef\xbb\xbfsource_system,message_id,customer_key\nshop,m2,18\n"
    assert events.read_bytes() == b"source_system,message_id\nmailer,m1\n"


# Two rows of the person and one of another that a build rejects as malformed, among sound ones.
MALFORMED = (
    b"source_system,message_id,customer_key,sent_at,body\n"
    b"shop,m1,17,2024-01-05,sound\n"
    b"shop,m2,17\n"
    b'shop,m3,18,2024-01-05,"not closed\n'
    b'shop,m4,18,2024-01-05,"two\nlines"\n'
    b'shop,m5,17,2024-01-05,"not closed either\n'
    b"shop,m6,18,2024-01-05,Caf\xe9\n"
    b'shop,m7,17,2024-01-05,"two\nlines"\n'
)


def test_records_of_a_csv_are_read_beside_malformed_ones() -> None:
    lines = MALFORMED.decode("utf-8", "surrogateescape").splitlines(keepends=True)
    found = list(csv_records.records(lines))
    assert "".join(text for _, text in found) == "".join(lines)
    assert [values and values[1] for values, _ in found] == [
        "message_id", "m1", "m2", None, "m4", None, "m6", "m7",
    ]  # fmt: skip


def test_malformed_rows_cost_nobody_else_a_row_and_do_not_keep_a_person(home: Path) -> None:
    file = written(home, "raw/communications/messages/a.csv", MALFORMED)
    events = written(home, "raw/communications/events/a.csv", b"source_system,message_id\nshop,m1\nshop,m7\nshop,m4\n")
    names = erasure.whom(["shop/17"])
    assert names["message_id"] == {"shop/m1", "shop/m7"}
    assert erasure.erase(names, on_step=pipeline.nothing)[1] == []
    assert file.read_bytes() == (
        b"source_system,message_id,customer_key,sent_at,body\n"
        b'shop,m3,18,2024-01-05,"not closed\n'
        b'shop,m4,18,2024-01-05,"two\nlines"\n'
        b"shop,m6,18,2024-01-05,Caf\xe9\n"
    )
    assert events.read_bytes() == b"source_system,message_id\nshop,m4\n"


def test_what_a_first_build_that_failed_had_written_goes_too(home: Path) -> None:
    written(home, "raw/crm/cases/a.csv", b"source_system,case_id,customer_key\nshop,c1,17\nshop,c2,18\n")
    with suppress(ZeroDivisionError), lake.writing(), duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner")
        branch = feast_lake.in_course(settings.catalog_address()).place().catalog
        options = f"data_path '{settings.data_path()}', data_inlining_row_limit 0"
        connection.execute(f"attach 'ducklake:{branch}' as lake ({options})")
        connection.execute("create table lake.main.cases as select 'shop' as source_system, 17 as customer_key")
        raise ZeroDivisionError
    assert (home / "lake" / "failed.sqlite").exists()
    assert [trace.file.split("/")[0] for trace in found(home)] == ["lake", "raw"]
    assert erasure.erase(erasure.whom(["shop/17"]), on_step=pipeline.nothing)[1] == []
    assert not (home / "lake" / "failed.sqlite").exists()


def test_a_table_in_another_encoding_is_named(home: Path) -> None:
    file = written(home, "raw/crm/cases/a.csv", "source_system,customer_key\nshop,17\n".encode("utf-16"))
    with pytest.raises(errors.UnreadableFile, match=rf"{file} is no CSV in UTF-8, so nobody can be erased from it"):
        erasure.whom(["shop/17"])


def test_sound_rows_beside_a_malformed_one_are_searched_as_rows_and_not_as_texts(home: Path) -> None:
    head = b"source_system,case_id,customer_key,opened_at\n"
    sound = b"shop,c1,18,2024-01-05 17:00\n\nshop,17,18,2024-01-05\n"
    written(home, "raw/crm/cases/a.csv", head + sound + b"shop,c2,18\n")
    assert found(home) == []
    written(home, "raw/crm/cases/a.csv", head + sound + b"shop,c2,17\n" + b"shop,c3,17,2024-01-05\n")
    assert found(home) == [traces.Trace("raw/crm/cases/a.csv", "rows", 2)]


def test_a_malformed_row_in_quarantine_is_found_and_goes(home: Path) -> None:
    file = written(home, "export/a.parquet", b"")
    rows = """
        values
            ('visits', '{"source_system": null, "_line": "shop,v1,17"}'),
            ('visits', '{"source_system": null, "_line": "shop,v2,170"}'),
            ('visits', '{"SOURCE_SYSTEM": "shop", "Customer_Key": "17", "amount": "v1"}'),
            ('visits', '{"source_system": "shop", "customer_key": "18", "amount": "17"}'),
            ('visits', null)
    """
    duckdb.execute(f"copy (select * from ({rows}) as t(raw_table, raw_row)) to '{file}' (format parquet)")
    assert found(home) == [traces.Trace("export/a.parquet", "rows", 2)]
    assert forget(file) == 2
    assert "v1" not in str(duckdb.sql(f"from '{file}'").fetchall())
    assert len(duckdb.sql(f"from '{file}'").fetchall()) == 3


def test_a_malformed_row_in_quarantine_is_found_by_a_key_of_several_words(home: Path) -> None:
    file = written(home, "export/a.parquet", b"")
    lines = ['shop,v1,"O\'Neil ""Al"", Ü/1"', "shop,v2,O'Neil Al", "shop,v3,Al, Ü/1", "till,v4,O'Neil Al Ü/1"]
    with duckdb.connect() as connection:
        rows = "select 'visits' as raw_table, to_json({'_line': unnest($lines)}) as raw_row"
        connection.execute(f"copy ({rows}) to '{file}' (format parquet)", {"lines": lines})
        names = {"customer_id": set(), "customer_key": {'shop/O\'Neil "Al", Ü/1'}}
        person.remember(connection, names)
        assert forgetting.forget_in(connection, file, names) == 1
        assert "v1" not in str(connection.execute(f"from '{file}'").fetchall())


def test_an_id_that_ended_in_another_is_that_of_who_has_its_record(home: Path) -> None:
    keys = """
        values
            ('a', 'a', 'shop', '17'), ('b', 'b', 'till', '4'), ('b', 'a', 'till', '4'),
            ('c', 'a', 'shop', '18'), ('c', 'c', 'shop', '18')
    """
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as lake")
        connection.execute("create schema lake.marts")
        connection.execute("create schema lake.intermediate")
        versions = f"from ({keys}) as versions (record_id, customer_id, source_system, customer_key)"
        connection.execute(f"create table lake.intermediate.int_customer_keys_versioned as {versions}")
        # c was one with a for a while, and is not any more.
        now = "values ('a', 'shop', '17'), ('a', 'till', '4'), ('c', 'shop', '18')"
        connection.execute(
            f"create table lake.marts.customer_keys as from ({now}) as keys (customer_id, source_system, customer_key)"
        )
        for who in ("b", "a", "till/4"):
            names = person.find(connection, [who])
            assert names["customer_key"] == {"shop/17", "till/4"}
            assert names["customer_id"] == {"a", "b"}


def test_parquet_keeps_its_types_order_and_other_rows(home: Path) -> None:
    file = written(home, "raw/crm/cases/a.parquet", b"")
    rows = """
        select
            'shop' as source_system, n as case_id, n as customer_key,
            timestamp '2024-01-01' + interval 1 day * n as opened_at, n::decimal(18, 4) as amount
        from range(5000) as cases(n)
    """
    duckdb.execute(f"copy ({rows}) to '{file}' (format parquet, compression zstd)")
    expected = duckdb.sql(f"from '{file}' where customer_key != 17").fetchall()
    described = duckdb.sql(f"describe from '{file}'").fetchall()
    assert forget(file) == 1
    assert duckdb.sql(f"from '{file}'").fetchall() == expected
    assert duckdb.sql(f"describe from '{file}'").fetchall() == described
    assert duckdb.sql(f"select distinct compression from parquet_metadata('{file}')").fetchall() == [("ZSTD",)]
    assert list(file.parent.iterdir()) == [file]


def test_a_key_in_a_column_of_fractions_is_that_of_a_build(home: Path) -> None:
    invoices = written(home, "raw/invoices/invoices/a.parquet", b"")
    rows = (
        "select 'shop' as source_system, n as invoice_id, 16.0::double + n as customer_key from range(1, 3) as keys(n)"
    )
    duckdb.execute(f"copy ({rows}) to '{invoices}' (format parquet)")
    others = written(home, "raw/invoices/invoices/b.parquet", b"")
    duckdb.execute(
        f"copy (select 'shop' as source_system, 3 as invoice_id, 17 as customer_key) to '{others}' (format parquet)"
    )
    quarantine = written(home, "export/a.parquet", b"")
    raw_row = """'{"source_system": "shop", "customer_key": 17.0}'"""
    duckdb.execute(f"copy (select 'visits' as raw_table, {raw_row} as raw_row) to '{quarantine}' (format parquet)")
    assert erasure.whom(["shop/17"])["customer_key"] == {"shop/17"}
    assert [trace.file for trace in found(home)] == [
        str(file.relative_to(home)) for file in (quarantine, invoices, others)
    ]
    assert [forget(file) for file in (invoices, others, quarantine)] == [1, 1, 1]
    assert found(home) == []
    assert duckdb.sql(f"select customer_key from '{invoices}' order by all").fetchall() == [(18.0,), (None,)]


def test_names_of_columns_count_in_upper_and_lower_case_as_in_a_build(home: Path) -> None:
    cases = written(home, "raw/crm/cases/a.csv", b"SOURCE_SYSTEM,Case_Id,Customer_Key\nshop,c1,17\nshop,c2,18\n")
    invoices = written(home, "raw/invoices/invoices/a.parquet", b"")
    rows = """values ('shop', 'i1', '17'), ('shop', 'i2', '18')"""
    named = '"SOURCE_SYSTEM", "INVOICE_ID", "CUSTOMER_KEY"'
    duckdb.execute(f"copy (select * from ({rows}) as invoices({named})) to '{invoices}' (format parquet)")
    assert erasure.whom(["shop/17"])["customer_key"] == {"shop/17"}
    assert [trace.number for trace in found(home)] == [1, 1]
    assert [forget(cases), forget(invoices)] == [1, 1]
    assert cases.read_bytes() == b"SOURCE_SYSTEM,Case_Id,Customer_Key\nshop,c2,18\n"
    assert duckdb.sql(f"from '{invoices}'").fetchall() == [("shop", "i1", None), ("shop", "i2", "18")]


@pytest.mark.parametrize(
    "head", [b"source_system, case_id, customer_key \n", b"\n\nsource_system,case_id,customer_key\n"]
)
def test_blanks_of_a_head_and_empty_lines_before_it_count_as_little_as_in_a_build(home: Path, head: bytes) -> None:
    written(home, "raw/crm/cases/b.csv", b"source_system,case_id,customer_key\nshop,c3,18\n")
    file = written(home, "raw/crm/cases/a.csv", head + b"shop,c1, 17\nshop,c2,18\n")
    assert erasure.whom(["shop/17"])["customer_key"] == {"shop/17"}
    assert [trace.number for trace in found(home)] == [1]
    assert forget(file) == 1
    assert file.read_bytes() == head + b"shop,c2,18\n"


def test_a_rejected_invoice_stays_without_its_customer_however_its_file_wrote_the_column(home: Path) -> None:
    file = written(home, "export/a.parquet", b"")
    rows = """
        values
            ('shop', 'i1', '17', '{"SOURCE_SYSTEM": "shop", "INVOICE_ID": "i1", "CUSTOMER_KEY": "17"}'),
            ('shop', 'i2', '17', '{"source_system": "shop", "invoice_id": "i2", "customer_key": "17"}')
    """
    named = "source_system, invoice_id, customer_key, _raw_row"
    duckdb.execute(f"copy (select * from ({rows}) as invoices({named})) to '{file}' (format parquet)")
    assert forget(file) == 2
    assert found(home) == []
    assert [row[:3] for row in duckdb.sql(f"from '{file}'").fetchall()] == [("shop", "i1", None), ("shop", "i2", None)]
    assert "17" not in str(duckdb.sql(f"from '{file}'").fetchall())


def test_data_files_of_a_lake_within_the_home_are_left_to_the_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(home, "warehouse/marts/customers/a.parquet", b"a data file")
    monkeypatch.setenv("MILLPOND_DATA", str(home / "warehouse"))
    export = written(home, "export.csv", b"customer_key\n17\n")
    assert list(forgetting.tables_outside_lake()) == [export]


def test_a_file_is_read_by_its_name_and_not_by_what_brackets_in_it_may_stand_for(home: Path) -> None:
    other, mine = (written(home, f"raw/crm/cases/{name}.parquet", b"") for name in ("a1", "a[1]"))
    for file, key in ((other, 18), (mine, 17)):
        named = str(file).replace("[", "[[]")
        duckdb.execute(f"copy (select 'shop' as source_system, {key} as customer_key) to '{file}' (format parquet)")
        assert duckdb.sql(f"select customer_key from '{named}'").fetchall() == [(key,)]
    assert erasure.whom(["shop/17"])["customer_key"] == {"shop/17"}
    assert found(home) == [traces.Trace("raw/crm/cases/a[1].parquet", "rows", 1)]
    assert [forget(other), forget(mine)] == [0, 1]
    assert found(home) == []


def test_file_that_does_not_name_the_person_is_not_written(home: Path) -> None:
    file = written(home, "raw/crm/cases/a.csv", b"source_system,customer_key\nshop,18\n")
    before = file.stat()
    assert forget(file) == 0
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_unreadable_file_is_named(home: Path) -> None:
    file = written(home, "raw/crm/cases/a.parquet", b"PAR1 but broken")
    with pytest.raises(
        errors.UnreadableFile, match=r"raw/crm/cases/a\.parquet cannot be read, so nobody can be erased"
    ):
        forget(file)


def test_tombstone_tells_an_erased_key_only_with_its_salt(home: Path) -> None:
    home.mkdir()
    tombstones.add({"shop/17", "till/4"})
    first = tombstones.path().read_text()
    tombstones.add({"shop/17"})
    assert tombstones.path().read_text() == first
    assert stat.S_IMODE(tombstones.path().stat().st_mode) == 0o600
    assert tombstones.is_erased("shop/17")
    assert not tombstones.is_erased("shop/1")
    assert "17" not in [row.split(",")[0] for row in first.splitlines()]
    (salt,) = {salt for _, salt in tombstones.read().values()}
    assert tombstones.hash_of("shop/17", salt) != tombstones.hash_of("shop/17", "")


def test_sql_and_python_hash_alike(home: Path) -> None:
    hashed = duckdb.execute("select sha256('salt' || 'shop/17é')").fetchall()[0][0]
    assert tombstones.hash_of("shop/17é", "salt") == hashed


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("notes.txt", b"call ANN@x.org\nbye", "lines"),
        ("logs/dbt.log", b"row of shop: customer_key 17 is odd", "lines"),
        ("models/words.bin", b"\x00\x0172793ebab4f630b2\xff", "lines"),
        ("raw/crm/cases/a.csv", b"source_system,case_id,customer_key,body\nshop,c9,18,ask ann@x.org.\n", "rows"),
        ("raw/crm/cases/b.csv", b"source_system,case_id,customer_key\nshop,c9,17\n", "rows"),
        ("export.csv", b"customer_key,amount\n17,3\n", "rows"),
        ("reports/ann@x.org.html", b"", "name of the file"),
        ("raw/broken.parquet", b"no parquet: ann@x.org", "lines"),
        ("notes.txt", b"I am ann@x.org.Thanks", "lines"),
        ("notes.txt", b"who = 'ann@x.org' or b'ann@x.org'", "lines"),
        ("notes.txt", b"shop/17. And so on", "lines"),
    ],
)
def test_trace_is_found_in(home: Path, name: str, content: bytes, what: str) -> None:
    written(home, name, content)
    assert found(home) == [traces.Trace(name, what, 1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"17 parcels for joann@x.org, and the shopkeeper took 17"),
        ("logs/dbt.log", b"shop wrote 170 rows in 2024-01-17"),
        ("raw/crm/cases/a.csv", b"source_system,case_id,customer_key,amount\ntill,17,17,17\n"),
        ("raw/crm/cases/b.csv", b"source_system,case_id,customer_key\nshop,17,18\n"),
        ("raw/crm/customers/a.csv", b"source_system,customer_key,email\nshop,18,ann@x.org.uk\nshop,19,o'ann@x.org\n"),
        ("notes.txt", b"shop/17/2, shop/17.2 and ann@x.org.uk"),
        (traces.JOURNAL, b"ann@x.org"),
    ],
)
def test_what_only_looks_like_the_person_is_no_trace(home: Path, name: str, content: bytes) -> None:
    written(home, name, content)
    assert found(home) == []


def test_trace_is_found_in_a_lake_whose_data_lie_outside_the_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "team"
    data.mkdir()
    monkeypatch.setenv("MILLPOND_DATA", str(data))
    duckdb.execute(f"copy (select 'shop' as source_system, '17' as customer_key) to '{data}/a.parquet'")
    assert found(home) == [traces.Trace(f"{data}/a.parquet", "rows", 1)]


def test_a_database_that_cannot_be_searched_is_named(home: Path) -> None:
    file = written(home, "notes.db", b"")
    with sqlite3.connect(file) as database:
        database.execute("create table notes (customer_key text)")
        database.executemany("insert into notes values (?)", [("18",)] * 5000)
    database.close()
    assert found(home) == []
    file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 4096)
    assert found(home) == [traces.Trace("notes.db", "database that cannot be read", 1)]


def test_a_row_of_a_database_is_told_from_one_that_only_looks_like_it(home: Path) -> None:
    file = written(home, "notes.db", b"")
    with sqlite3.connect(file) as database:
        database.execute("create table notes (source_system text, customer_key text, email text)")
        rows = [("till", "17", "joann@x.org"), ("shop", "18", "ann@x.org.uk"), ("shop", "19", None)]
        database.executemany("insert into notes values (?, ?, ?)", rows)
    assert found(home) == []
    with sqlite3.connect(file) as database:
        rows = [("shop", "17", None), ("shop", "20", "Ann@x.org"), (None, "17", None)]
        database.executemany("insert into notes values (?, ?, ?)", rows)
    database.close()
    assert traces.Trace("notes.db", "rows of table notes", 3) in found(home)


def test_a_database_is_searched_for_many_persons_at_once(home: Path) -> None:
    file = written(home, "notes.db", b"")
    with sqlite3.connect(file) as database:
        database.execute("create table notes (a text, b text, customer_key text)")
        database.execute("insert into notes values ('x', 'mail 499@x.org', '7')")
    database.close()
    names = {"contact": {f"{n}@x.org" for n in range(500)}, "customer_key": {f"shop/{n}" for n in range(100, 600)}}
    with duckdb.connect() as connection:
        assert traces.Trace("notes.db", "rows of table notes", 1) in traces.scan(connection, names)


def test_trace_is_found_of_an_umlaut_in_capitals(home: Path) -> None:
    written(home, "notes.txt", "ZOË@X.ORG\nzoë@x.org\nzoe@x.org\n".encode())
    with duckdb.connect() as connection:
        assert traces.scan(connection, {"contact": {"zoë@x.org"}}) == [traces.Trace("notes.txt", "lines", 2)]


def test_trace_is_found_of_a_key_in_capitals(home: Path) -> None:
    written(home, "export.csv", b"note\nask shop/AB-17 again\nask shop/AB-170\n")
    with duckdb.connect() as connection:
        assert traces.scan(connection, {"customer_key": {"shop/AB-17"}}) == [traces.Trace("export.csv", "rows", 1)]


def test_trace_is_found_in_what_people_reviewed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"source_system,customer_key,other_source_system,other_customer_key,is_match,reviewed_on\n"
    seed = written(home.parent, "seeds/reviewed_matches.csv", head + b"till,4,shop,17,false,2024-03-01\n")
    home.mkdir()
    monkeypatch.setattr(traces, "REVIEWED", seed)
    assert found(home) == [traces.Trace(str(seed), "rows", 1)]


def test_trace_is_found_in_a_packed_text_as_far_as_it_goes(home: Path) -> None:
    packed = gzip.compress(b"call ann@x.org\n" * 3 + bytes(range(256)) * 1000)
    written(home, "export.csv.gz", packed)
    assert found(home) == [traces.Trace("export.csv.gz", "lines", 3)]
    written(home, "export.csv.gz", packed[:-20])
    assert found(home) == [traces.Trace("export.csv.gz", "lines", 3)]


@pytest.mark.parametrize("name", ["lake/data/a.parquet", "backup/a.parquet.bak"])
def test_trace_is_found_in_compressed_parquet(home: Path, name: str) -> None:
    file = written(home, name, b"")
    duckdb.execute(
        f"copy (select {{'mail': 'x ann@x.org'}} as body from range(3)) to '{file}' (format parquet, compression zstd)"
    )
    assert found(home) == [traces.Trace(name, "rows", 3)]
