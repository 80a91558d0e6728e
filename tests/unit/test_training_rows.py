"""Observations and messages to learn from: of very many a sample, always the same one."""

from collections.abc import Callable, Iterator
from datetime import date

import duckdb
import pandas as pd
import pytest

from training import dataset, offers, training_rows

CUT = date(2024, 6, 1)
EARLY = date(2024, 5, 1)


@pytest.fixture(scope="module")
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    """1,000 messages by post of 1 March; every tenth was answered, and of offer b every fifth withheld.

    And 400 customers as of 1 May and of the cut, every other of whom has bought.
    """
    with duckdb.connect() as connection:
        connection.execute(
            """
            attach ':memory:' as lake;
            create schema lake.labels;
            create schema lake.intermediate;
            create schema lake.features;

            create table lake.features.customer_rhythm as
            select 'c' || n as customer_id, observation_date, case when n % 2 = 0 then 1 end as frequency
            from range(400) as customers(n)
            cross join unnest([date '2024-05-01', date '2024-06-01']) as dates(observation_date);

            create table lake.labels.message_responses as
            select
                'shop' as source_system,
                'm' || n as message_id,
                'spring' as campaign_id,
                'c' || n as customer_id,
                case when n < 600 then 'a' else 'b' end as action_id,
                'post' as channel,
                case when n >= 600 and n % 5 = 0 then 'control' else 'treatment' end as arm,
                '{}' as attributes,
                timestamp '2024-03-01' as sent_at,
                timestamp '2024-04-01' as outcome_closes_at,
                timestamp '2024-03-01' as message_known_at,
                cast(null as timestamp) as message_superseded_at,
                case when n % 10 = 1 then timestamp '2024-03-05' end as responded_at,
                case when n % 10 = 1 then timestamp '2024-03-05' end as response_known_at,
                cast(null as timestamp) as response_superseded_at
            from range(1000) as messages(n);

            create table lake.intermediate.int_category_totals_versioned (
                customer_id varchar, category varchar, net_amount decimal(38, 4), category_days bigint, known_at date,
                superseded_at date
            );

            create table lake.intermediate.int_campaign_products_versioned (
                source_system varchar, campaign_id varchar, product_key varchar, category varchar,
                known_at timestamp, superseded_at timestamp
            );

            use lake
            """
        )
        yield connection


def test_few_messages_are_all_taken(lake: duckdb.DuckDBPyConnection) -> None:
    sent = dataset.messages(lake, sent_from=None, cut=CUT)
    assert (len(sent), sent["responded"].sum(), set(sent["of_messages"])) == (920, 100, {920})


def test_of_more_messages_than_the_limit_the_same_sample_is_taken(lake: duckdb.DuckDBPyConnection) -> None:
    whole = dataset.messages(lake, sent_from=None, cut=CUT)
    sample = dataset.messages(lake, sent_from=None, cut=CUT, limit=300)
    assert 250 < len(sample) < 350
    assert set(sample["of_messages"]) == {920}
    assert 0.05 < sample["responded"].mean() < 0.17
    assert set(sample["customer_id"]) < set(whole["customer_id"])
    assert sample.equals(dataset.messages(lake, sent_from=None, cut=CUT, limit=300))


def test_offer_of_the_catalogue_is_what_its_newest_message_was_when_it_was_sent() -> None:
    """What was added to that message afterwards tells what became of it, and the model has not learnt it."""
    with duckdb.connect() as lake:
        lake.execute(
            """
            create schema seeds;
            create schema labels;
            create schema marts;

            create table seeds.actions as
            select 'a' as action_id, 'post' as channel, '{"percent": 5}' as attributes
            union all select 'b', 'post', null;

            create table labels.message_responses as
            select
                'shop' as source_system,
                'm' || n as message_id,
                'spring' as campaign_id,
                'a' as action_id,
                'post' as channel,
                json_object('pages', n) as attributes,
                timestamp '2024-03-01' + n * interval 1 day as sent_at,
                case when n = 3 then timestamp '2024-03-05' end as message_superseded_at
            from range(4) as messages(n);

            create table marts.messages as
            select *, 'outbound' as direction from labels.message_responses where message_superseded_at is null;

            update marts.messages set attributes = json_merge_patch(attributes, '{"status": "redeemed"}');
            """
        )
        found = offers.catalogue(lake, as_of=CUT)
    assert found["action_id"].tolist() == ["a", "b"]
    assert found["campaign_id"].fillna("none").tolist() == ["spring", "none"]
    assert found["attributes"].tolist() == ['{"pages": 2, "percent": 5}', "{}"]


def test_both_arms_are_those_of_offers_that_have_both(lake: duckdb.DuckDBPyConnection) -> None:
    """So the limit is spent on tests, however many other messages there are."""
    tested = dataset.messages(lake, sent_from=None, cut=CUT, arm=None, limit=400)
    assert set(tested["action_id"]) == {"b"}
    assert tested["arm"].value_counts().to_dict() == {"treatment": 320, "control": 80}


@pytest.mark.parametrize(("take", "of_the_cut"), [(training_rows.buyers, 200), (training_rows.prospects, 0)])
def test_of_observations_all_of_the_cut_and_the_same_sample_of_those_before_it_are_taken(
    lake: duckdb.DuckDBPyConnection, take: Callable[..., pd.DataFrame], of_the_cut: int
) -> None:
    whole = take(lake, [EARLY, CUT])
    sample = take(lake, [EARLY, CUT], all_from=CUT, limit=100)
    is_of_the_cut = sample["event_timestamp"] == pd.Timestamp(CUT)
    assert len(whole) == 200 + of_the_cut
    assert is_of_the_cut.sum() == of_the_cut
    assert 70 < (~is_of_the_cut).sum() < 130
    assert len(sample.merge(whole)) == len(sample)
    assert sample.equals(take(lake, [EARLY, CUT], all_from=CUT, limit=100))


def test_few_observations_are_all_taken(lake: duckdb.DuckDBPyConnection) -> None:
    assert training_rows.buyers(lake, [CUT], all_from=CUT).equals(training_rows.buyers(lake, [CUT]))
    assert len(training_rows.buyers(lake, [EARLY, CUT], all_from=CUT)) == 400


def test_sample_of_observations_does_not_depend_on_their_order(lake: duckdb.DuckDBPyConnection) -> None:
    before = sampled_buyers(lake)
    lake.execute(
        "create or replace table features.customer_rhythm as from features.customer_rhythm order by hash(customer_id)"
    )
    assert sampled_buyers(lake).equals(before)


def sampled_buyers(lake: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    return training_rows.buyers(lake, [EARLY, CUT], all_from=CUT, limit=100)
