"""What an offer is about times what the customer buys: shares by hand, and nothing that came later."""

from collections.abc import Iterator

import duckdb
import pandas as pd
import pytest

from training.affinity import AFFINITY, with_affinity

NULLS = [None, None]


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """Anna bought bread for 30 on two days and wine for 10 on one; all became known on the day."""
    with duckdb.connect() as connection:
        connection.execute(
            """
            attach ':memory:' as lake;
            create schema lake.intermediate;

            create table lake.intermediate.int_category_totals_versioned as
            select
                'anna' as customer_id,
                col0 as category,
                cast(col1 as decimal(38, 4)) as net_amount,
                col2 as category_days,
                cast(col3 as date) as known_at,
                cast(col4 as date) as superseded_at
            from (values
                ('bread', 20, 1, '2024-03-01', '2024-03-03'), ('bread', 30, 2, '2024-03-03', null),
                ('wine', 10, 1, '2024-03-03', null),
                (null, 20, 1, '2024-03-01', '2024-03-03'), (null, 40, 3, '2024-03-03', null)
            );

            create table lake.intermediate.int_campaign_products_versioned as
            select
                'shop' as source_system,
                col0 as campaign_id,
                col1 as product_key,
                col2 as category,
                cast(col3 as timestamp) as known_at,
                cast(col4 as timestamp) as superseded_at
            from (values
                ('bakery', 'p1', 'bread', null, null),
                ('bakery', 'p2', 'bread', '2024-01-01', null),
                ('party', 'p1', 'bread', null, '2024-03-05 12:00'),
                ('party', 'p3', 'wine', null, null),
                ('toys', 'p4', 'toys', null, null)
            )
            """
        )
        yield connection


def shares(lake: duckdb.DuckDBPyConnection, *asked: tuple[str | None, str | None, str]) -> list[list[float | None]]:
    """Of offers, each a customer, a campaign and a moment."""
    offers = pd.DataFrame(asked, columns=["customer_id", "campaign_id", "event_timestamp"])
    offers = offers.assign(
        source_system="shop", event_timestamp=pd.to_datetime(offers["event_timestamp"], format="ISO8601")
    )
    found = with_affinity(lake, offers.set_index(pd.Index(range(5, 5 + len(offers)))))
    assert list(found.index) == list(range(5, 5 + len(offers)))
    return [[None if pd.isna(value) else value for value in row] for row in found[list(AFFINITY)].to_numpy()]


def test_shares_are_those_of_the_offers_categories(lake: duckdb.DuckDBPyConnection) -> None:
    found = shares(
        lake,
        ("anna", "bakery", "2024-03-04"),
        ("anna", "party", "2024-03-04"),
        ("anna", "toys", "2024-03-04"),
        ("anna", "bakery", "2024-03-04"),
    )
    assert found == [[30 / 40, 2 / 3], [1.0, 1.0], [0.0, 0.0], [30 / 40, 2 / 3]]


def test_what_became_known_on_the_day_of_the_offer_or_later_is_not_seen(lake: duckdb.DuckDBPyConnection) -> None:
    """A line of 3 March may be of the evening; the message is of noon."""
    assert shares(lake, ("anna", "party", "2024-03-03 12:00")) == [[1.0, 1.0]]
    assert shares(lake, ("anna", "bakery", "2024-03-03 23:59"), ("anna", "bakery", "2024-03-04")) == [
        [1.0, 1.0],
        [30 / 40, 2 / 3],
    ]
    assert shares(lake, ("anna", "bakery", "2024-03-01 12:00")) == [NULLS]


def test_offer_is_about_what_it_was_known_to_be_about(lake: duckdb.DuckDBPyConnection) -> None:
    """From noon of the 5th on the party is about wine alone."""
    assert shares(lake, ("anna", "party", "2024-03-05 12:00"), ("anna", "party", "2024-03-05 11:00")) == [
        [10 / 40, 1 / 3],
        [1.0, 1.0],
    ]


def test_what_is_unknown_is_null(lake: duckdb.DuckDBPyConnection) -> None:
    """No campaign, one that is about nothing known, a customer without purchases, none at all."""
    nobody: list[tuple[str | None, str | None, str]] = [
        ("anna", None, "2024-03-04"),
        ("anna", "image", "2024-03-04"),
        ("bert", "bakery", "2024-03-04"),
        (None, "bakery", "2024-03-04"),
    ]
    assert shares(lake, *nobody, ("anna", "bakery", "2024-03-04")) == [*[NULLS] * 4, [30 / 40, 2 / 3]]
    for one in nobody:
        assert shares(lake, one) == [NULLS]
    assert shares(lake) == []
