"""Probable matches: proposed for review, never merged."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from millpond import dbt, errors, lake, matching, pipeline

# Builds many times over.
pytestmark = pytest.mark.slow

SPLINK = pytest.mark.skipif(importlib.util.find_spec("splink") is None, reason="the extra splink is not installed")

SHARING = matching.MOST_SHARING + 100

# 200 persons in a shop and in a CRM. The first 150 give both the same e-mail, the others a different one to each; of
# these, 10 are somebody else of the same name.
PERSONS = """
    select
        system as source_system,
        system || n as customer_key,
        'Person ' || md5('name' || n) as full_name,
        case when n < 150 then 'p' || n || '@example.org' else system || n || '@example.org' end as email,
        date '1960-01-01' + cast(
            case when n >= 190 and system = 'crm' then hash('other' || n) else hash('born' || n) end % 15000 as integer
        ) as birth_date,
        'Z' || case when n >= 190 and system = 'crm' then hash('o' || n) else hash('z' || n) end % 90 as postal_code,
        timestamp '2024-01-01' + interval 1 day * (n % 30) as known_at
    from range(200) as persons (n) cross join (values ('shop'), ('crm')) as systems (system)
"""


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which the records are built."""
    home = tmp_path_factory.mktemp("matching")
    (home / "raw" / "crm" / "customers").mkdir(parents=True)
    duckdb.sql(f"copy ({PERSONS}) to '{home}/raw/crm/customers/all.parquet'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        with lake.writing():
            words = ("--select", "+customer_keys", "+int_customer_records_ranked", "reviewed_matches")
            dbt.build(
                *words,
                "--exclude-resource-type",
                "test",
                variables={"as_of_date": "2024-03-01"},
                on_node=pipeline.nothing,
            )
        yield home


@SPLINK
def test_pairs_that_agree_in_what_joins_nobody_are_proposed_and_not_merged(built: Path) -> None:
    customers = ask("select count(distinct customer_id) from marts.customer_keys")
    assert matching.propose(threshold=0.9) == 40
    pairs = ask("select customer_key, other_customer_key, agreeing_columns, status from review.match_proposals")
    assert {(one.lstrip("shopcrm"), status) for one, _, _, status in pairs} == {
        (str(n), "proposed") for n in range(150, 190)
    }
    assert all(one.lstrip("shopcrm") == other.lstrip("shopcrm") for one, other, _, _ in pairs)
    assert {agreeing for _, _, agreeing, _ in pairs} == {"full_name, birth_date, postal_code"}
    assert ask("select count(distinct customer_id) from marts.customer_keys") == customers == [(250,)]


@SPLINK
def test_pair_that_was_reviewed_is_not_proposed_again(built: Path) -> None:
    with lake.writing(), lake.connect(read_only=False) as connection:
        connection.execute(
            "insert into seeds.reviewed_matches values ('shop', 'shop150', 'crm', 'crm150', false, date '2024-03-01')"
        )
    assert matching.propose(threshold=0.9) == 39


@SPLINK
def test_records_that_share_with_hundreds_are_compared_by_what_few_share() -> None:
    """Hundreds show one e-mail and telephone; two of them are one person, by name and date of birth."""
    records = duckdb.sql(
        f"""
        select
            'desk' || n as record_id, record_id as customer_id, 'Clerk ' || n % {SHARING - 1} as full_name,
            date '2010-01-01' + cast(n % {SHARING - 1} as integer) as birth_date, 'info@example.org' as email,
            '+4930123456' as phone, cast(null as varchar) as loyalty_key, 'Z1' as postal_code
        from range({SHARING}) as records (n)
        union all
        select customer_key, email, full_name, birth_date, email, null, null, postal_code from ({PERSONS})
        order by record_id
        """
    ).to_arrow_table()
    pairs = matching.probable_pairs(records, threshold=0).select(["record_id", "other_record_id"]).to_pylist()
    shared = {frozenset(pair.values()) for pair in pairs if pair["record_id"].startswith("desk")}
    assert shared == {frozenset(("desk0", f"desk{SHARING - 1}"))}


@SPLINK
def test_too_few_records_to_learn_from_are_refused() -> None:
    with pytest.raises(errors.CannotMatch, match="3 customer records: at least 100 are needed"):
        matching.probable_pairs(pa.table({"record_id": ["a", "b", "c"]}), threshold=0.9)


def test_matching_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(errors.MissingPackage, match=r"needs splink, .* pip install 'millpond\[splink\]'"):
        matching.propose(threshold=0.9)
