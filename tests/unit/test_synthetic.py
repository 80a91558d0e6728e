"""The world with known truth (adapters/synthetic): what docs/synthetic.md says of it, counted."""

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from string import Template

import duckdb
import numpy as np
import pytest
import yaml

PROJECT = Path(__file__).parents[2]
ADAPTER = PROJECT / "adapters" / "synthetic"
TRUTHS = ("persons", "purchase_process", "calendar", "message_truth")
CUSTOMERS, DAYS = 3000, 730
World = Callable[[str], np.ndarray]


def declared_tables() -> dict[str, dict]:
    """Raw tables as dbt declares them: {"crm/customers": {...}}."""
    files = sorted((PROJECT / "models" / "staging").glob("*/_*__sources.yml"))
    sources = [source for file in files for source in yaml.safe_load(file.read_text())["sources"]]
    return {f"{source['name']}/{table['name']}": table for source in sources for table in source["tables"]}


TABLES = declared_tables()


def land(home: Path, *, customers: int, days: int, seed: int = 1, threads: int = 2) -> Path:
    """Run the adapter as `millpond land synthetic` does."""
    for table in TABLES:
        (home / "raw" / table).mkdir(parents=True)
    for table in TRUTHS:
        (home / "truth" / table).mkdir(parents=True)
    values = {"raw": home / "raw", "truth": home / "truth", "customers": customers, "seed": seed, "days": days}
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for folder in ("once", "monthly"):
            # The months are known once the people are.
            months = (
                connection.sql("select month from months order by month").fetchall() if folder == "monthly" else [("",)]
            )
            for (month,) in months:
                for file in sorted((ADAPTER / folder).glob("*.sql")):
                    connection.execute(Template(file.read_text()).substitute(values, month=month))
    return home


def rows(home: Path) -> dict[str, list[tuple]]:
    """Every file with its rows, in their order."""
    return {
        str(file.relative_to(home)): duckdb.sql(f"from '{file}'").fetchall() for file in sorted(home.rglob("*.parquet"))
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return land(tmp_path_factory.mktemp("world"), customers=CUSTOMERS, days=DAYS)


@pytest.fixture(scope="module")
def ask(home: Path) -> World:
    """A question to the world's files; the answer has one array per column."""
    connection = duckdb.connect()
    for table in TABLES:
        connection.execute(f"create view {Path(table).name} as from '{home}/raw/{table}/*.parquet'")
    for table in TRUTHS:
        connection.execute(f"create view true_{table} as from '{home}/truth/{table}/*.parquet'")
    return lambda question: np.array(connection.sql(question).fetchall(), dtype=float).T


def standard_errors_off(happened: np.ndarray, probability: np.ndarray) -> float:
    """How many standard errors the number of successes lies from what its probabilities say."""
    return abs(float((happened - probability).sum())) / sqrt(float((probability * (1 - probability)).sum()))


def test_same_seed_gives_the_same_rows_in_the_same_order_on_any_number_of_threads(tmp_path: Path) -> None:
    one = rows(land(tmp_path / "one", customers=150, days=100, threads=1))
    four = rows(land(tmp_path / "four", customers=150, days=100, threads=4))
    assert one == four


def test_other_seed_gives_other_rows(tmp_path: Path) -> None:
    one = rows(land(tmp_path / "one", customers=150, days=100))
    two = rows(land(tmp_path / "two", customers=150, days=100, seed=2))
    assert one.keys() == two.keys()
    assert not [file for file in one if one[file] == two[file] and one[file] and "calendar" not in file]


def test_more_customers_leave_the_rows_of_the_others_as_they_were(tmp_path: Path) -> None:
    few = rows(land(tmp_path / "few", customers=150, days=100))
    more = rows(land(tmp_path / "more", customers=200, days=100))
    assert not {file: set(few[file]) - set(more[file]) for file in few if set(few[file]) - set(more[file])}


@pytest.mark.parametrize("table", TABLES)
def test_table_keeps_the_raw_contract(home: Path, table: str) -> None:
    declared = {column["name"]: column.get("config", {}).get("meta", {}) for column in TABLES[table]["columns"]}
    files = duckdb.read_parquet(f"{home}/raw/{table}/*.parquet", union_by_name=True)
    found = set(files.columns)
    assert found <= set(declared)
    assert files.count("*").fetchall()[0][0] > 0
    for column, meta in declared.items():
        if meta.get("required"):
            assert files.filter(f"{column} is null").fetchall() == []
        if meta.get("accepted") and column in found:
            words = ", ".join(f"'{word}'" for word in meta["accepted"])
            assert files.filter(f"{column} not in ({words})").fetchall() == []
    event_at = TABLES[table]["config"]["meta"].get("event_at")
    if {event_at, "known_at"} <= found:
        assert files.filter(f"{event_at} > known_at").fetchall() == []


def test_file_holds_what_became_known_in_its_month(home: Path) -> None:
    for table in ("crm/customers", "invoices/lines", "communications/events"):
        files = duckdb.read_parquet(f"{home}/raw/{table}/*.parquet", filename=True)
        assert files.filter("filename not like '%-' || strftime(known_at, '%Y-%m') || '.parquet'").fetchall() == []


def test_every_reference_leads_to_its_row(ask: World) -> None:
    assert ask("select count(*) from lines anti join invoices using (source_system, invoice_id)") == 0
    assert ask("select count(*) from lines anti join products using (source_system, product_key)") == 0
    assert ask("select count(*) from events anti join messages using (source_system, message_id)") == 0
    assert ask("select count(*) from messages anti join campaigns using (source_system, campaign_id)") == 0
    assert ask("select count(*) from asset_readings anti join assets using (source_system, asset_id)") == 0
    # A credit note may reach the company while its invoice is still late at the end of the world.
    lost = ask("""
        select sold.invoice_id is null
        from invoices as credit
        left join invoices as sold on credit.credited_invoice_id = sold.invoice_id
        where credit.invoice_type = 'credit_note'
    """)
    assert lost.mean() < 0.01


def test_every_customer_key_belongs_to_one_person(ask: World) -> None:
    assert ask("select count(*) - count(distinct (source_system, customer_key)) from true_persons") == 0
    assert ask("select count(*) from true_persons anti join customers using (source_system, customer_key)") == 0
    for table in ("customers", "consents", "occasions", "cases", "assets", "messages", "visits", "invoices"):
        strangers = f"select count(*) from {table} anti join true_persons using (source_system, customer_key)"
        assert ask(strangers + " where customer_key is not null") == 0
    assert ask("select count(distinct person_id) from true_persons") <= CUSTOMERS
    assert ask("select count(*) from true_purchase_process") == CUSTOMERS


def test_loyalty_key_is_never_shared_while_families_share_an_address(ask: World) -> None:
    persons_per_key = """
        select coalesce(max(persons), 0)
        from (
            select count(distinct person_id) as persons from customers
            inner join true_persons using (source_system, customer_key)
            where {key} is not null and {key} not ilike 'info@%'
            group by lower({key})
        )
    """
    assert ask(persons_per_key.format(key="loyalty_key")) == 1
    assert 2 <= ask(persons_per_key.format(key="email")) <= 4
    assert ask("select count(distinct customer_key) from customers where email ilike 'info@office1.%'") > 20


def test_shares_of_late_corrected_and_repeated_rows_are_as_stated(ask: World) -> None:
    late = ask("select known_at > invoiced_at + interval 1 day from (from invoices where invoiced_at < '2024-12-01')")[
        0
    ]
    assert standard_errors_off(late, np.full(len(late), 0.02)) < 4
    versions, reports = ask("""
        select count(distinct net_amount), count(*) from lines
        group by source_system, invoice_id, line_no
    """)
    assert (versions > 1).mean() == pytest.approx(0.005, rel=0.2)
    assert (reports > versions).mean() == pytest.approx(0.002, rel=0.35)


def test_about_fifty_lines_per_customer(ask: World) -> None:
    assert ask("select count(*) from lines")[0] / CUSTOMERS == pytest.approx(50, rel=0.2)


@pytest.mark.parametrize(
    ("arm", "column"), [("treatment", "true_response_probability"), ("control", "true_control_probability")]
)
def test_messages_are_answered_with_their_true_probability(ask: World, arm: str, column: str) -> None:
    """Of campaigns closed a week before the end, so that late answers are known."""
    probability, answered = ask(f"""
        select truth.{column}, answers.message_id is not null
        from messages
        inner join true_message_truth as truth using (source_system, message_id)
        inner join campaigns using (source_system, campaign_id)
        left join (
            select distinct source_system, message_id from events where event_type in ('converted', 'redeemed')
        ) as answers using (source_system, message_id)
        where messages.arm = '{arm}' and campaigns.ends_at < timestamp '2024-12-24'
    """)
    assert standard_errors_off(answered, probability) < 4


def test_one_message_in_ten_is_withheld_and_the_planned_ones_have_no_answer(ask: World) -> None:
    withheld = ask("select arm = 'control' from messages where sent_at < '2024-12-31'")[0]
    assert standard_errors_off(withheld, np.full(len(withheld), 0.1)) < 4
    assert ask("select count(*) from messages where sent_at >= '2024-12-31'") > 0
    assert ask("select count(*) from events inner join messages using (message_id) where sent_at >= '2024-12-31'") == 0


def test_contact_helps_most_does_nothing_for_some_and_harms_few(ask: World) -> None:
    (uplift,) = ask("select true_response_probability - true_control_probability from true_message_truth")
    assert (uplift == 0).mean() == pytest.approx(0.2, abs=0.04)
    assert (uplift < 0).mean() == pytest.approx(0.05, abs=0.025)
    assert uplift.mean() > 0.01


# Purchases until a month before the end, so that late invoices are known; each with its time on the clock, at noon.
PURCHASES = """
    with purchases as (
        select
            true_persons.person_id,
            any_value(true_calendar.starts_on_clock + true_calendar.weight / 2) as clock,
            row_number() over (partition by true_persons.person_id order by min(invoices.invoiced_at)) as number
        from invoices
        inner join true_persons using (source_system, customer_key)
        inner join true_calendar on cast(invoices.invoiced_at as date) = true_calendar.date
        where invoices.invoice_type = 'invoice' and invoices.invoiced_at < timestamp '2024-12-01'
        group by true_persons.person_id, invoices.invoice_id
    ),
    ends as (select starts_on_clock as clock from true_calendar where date = date '2024-12-01')
"""


def test_memoryless_customers_buy_as_often_as_their_rate_and_dropout_say(ask: World) -> None:
    """Expected repeat purchases in t days: (1 - exp(-rate p t)) / p."""
    repeats, rate, dropout, observed = ask(f"""
        {PURCHASES}
        select
            count(*) - 1,
            any_value(purchases_per_clock_day),
            any_value(dropout_probability),
            any_value(ends.clock) - min(purchases.clock)
        from purchases
        inner join true_purchase_process using (person_id)
        cross join ends
        where process = 'poisson'
        group by person_id
    """)
    expected = (1 - np.exp(-rate * dropout * observed)) / dropout
    assert abs((repeats - expected).sum()) < 4 * sqrt(((repeats - expected) ** 2).sum())


def test_cyclic_customers_come_back_within_60_days_as_an_erlang_of_shape_3_says(ask: World) -> None:
    came_back, rate = ask(f"""
        {PURCHASES}
        select
            coalesce(second.clock - first.clock <= 60, false),
            purchases_per_clock_day
        from purchases as first
        inner join true_purchase_process using (person_id)
        cross join ends
        left join purchases as second on first.person_id = second.person_id and second.number = 2
        where process = 'erlang_3' and first.number = 1 and first.clock + 60 < ends.clock
    """)
    x = 3 * rate * 60
    assert standard_errors_off(came_back, 1 - np.exp(-x) * (1 + x + x**2 / 2)) < 4


def test_nobody_buys_after_dropping_out(ask: World) -> None:
    after = """
        select count(*) from invoices
        inner join true_persons using (source_system, customer_key)
        inner join true_purchase_process using (person_id)
        where invoices.invoice_type = 'invoice' and cast(invoices.invoiced_at as date) > dropped_out_on
    """
    assert ask(after) == 0


def test_more_is_bought_on_saturdays_and_before_christmas(ask: World) -> None:
    saturday, sunday = ask("""
        select count(*) filter (where isodow(invoiced_at) = 6), count(*) filter (where isodow(invoiced_at) = 7)
        from invoices where customer_key is not null
    """)
    assert saturday > 1.8 * sunday


def test_bad_rows_come_only_when_asked_for(home: Path, tmp_path: Path) -> None:
    assert not list(home.glob("raw/*/*/*.csv"))
    for table in TABLES:
        (tmp_path / table).mkdir(parents=True)
    for file in sorted((ADAPTER / "dirt").glob("*.sql")):
        duckdb.execute(Template(file.read_text()).substitute(raw=tmp_path))
    assert len(list(tmp_path.rglob("*-bad.csv"))) == 8
