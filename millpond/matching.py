"""Probable matches between customer records that no key joins: proposals for people to review, never merges.

The extra `splink` (Fellegi and Sunter's model) weighs how often records of one person agree, and how rarely others do.
"""

import logging
import warnings
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from millpond import lake, pipeline
from millpond.errors import CannotMatch, MissingPackage

COMPARED = ("full_name", "birth_date", "email", "phone", "loyalty_key", "postal_code")
ENOUGH_RECORDS = 100
SEED = 1
SAMPLED_PAIRS = 1_000_000
# Of pairs that are one person, about so many are joined by a key: it says how likely a match is before comparing.
RECALL = 0.7
# Records that share one of these are compared, unless more share it: of 50,000 with info@ each would be with all.
COMPARED_BY = ("full_name", "birth_date", "email", "phone", "loyalty_key")
MOST_SHARING = 200

# Each record at present, with its e-mail and telephone in the spelling in which they join (newest first).
RECORDS = """
with spelled as (
    select
        record_id,
        max_by(identifier, known_at) filter (where identifier_kind = 'email') as email,
        max_by(identifier, known_at) filter (where identifier_kind = 'phone') as phone
    from intermediate.int_customer_identifiers
    group by record_id
)

select
    records.record_id, records.customer_id, records.source_system, records.customer_key,
    lower(trim(records.full_name)) as full_name, records.birth_date, spelled.email, spelled.phone,
    trim(records.loyalty_key) as loyalty_key, records.postal_code
from intermediate.int_customer_records_ranked as records
left join spelled using (record_id)
where not records.is_deleted
order by records.record_id
"""

# Pairs that nothing joins yet and that nobody has reviewed.
PROPOSALS = """
create or replace table lake.review.match_proposals as
with reviewed as (
    select source_system, customer_key, other_source_system, other_customer_key from seeds.reviewed_matches
    union
    select other_source_system, other_customer_key, source_system, customer_key from seeds.reviewed_matches
)

select
    one.source_system, one.customer_key,
    other.source_system as other_source_system, other.customer_key as other_customer_key,
    pairs.match_probability, pairs.agreeing_columns, $version as splink_version, 'proposed' as status,
    cast($proposed_at as timestamp) as proposed_at
from probable_pairs as pairs
inner join candidate_records as one on pairs.record_id = one.record_id
inner join candidate_records as other on pairs.other_record_id = other.record_id
left join reviewed
    on (one.source_system, one.customer_key, other.source_system, other.customer_key)
    = (reviewed.source_system, reviewed.customer_key, reviewed.other_source_system, reviewed.other_customer_key)
where one.customer_id != other.customer_id and reviewed.source_system is null
order by pairs.match_probability desc, one.source_system, one.customer_key, other_source_system, other_customer_key
"""


def propose(*, threshold: float, wait_seconds: float = 0) -> int:
    """Replace the table review.match_proposals with the probable matches of the lake as it was built.

    Args:
        threshold: lowest probability of a proposal, 0 to 1.
        wait_seconds: how long to wait for another writer.

    Returns:
        How many pairs are proposed.

    Raises:
        MissingPackage: the extra is not installed.
        NotBuilt: there is no lake.
        CannotMatch: too few records to learn from.
    """
    splink = _splink()
    pipeline.built_as_of()
    with lake.writing(wait_seconds), lake.connect(read_only=False) as connection:
        records = connection.execute(RECORDS).to_arrow_table()
        connection.register("candidate_records", records)
        connection.register("probable_pairs", probable_pairs(records, threshold=threshold))
        connection.execute("create schema if not exists lake.review")
        connection.execute(PROPOSALS, {"version": splink.__version__, "proposed_at": datetime.now(UTC).isoformat()})
        return int(connection.execute("select count(*) from lake.review.match_proposals").fetchall()[0][0])


def probable_pairs(records: pa.Table, *, threshold: float) -> pa.Table:
    """Pairs of records that are probably one person, whether or not something joins them already.

    Args:
        records: record_id, customer_id (who is joined already) and the columns COMPARED, one row per record.
        threshold: lowest probability.

    Returns:
        record_id, other_record_id, match_probability, agreeing_columns (names separated by commas).

    Raises:
        CannotMatch: too few records to learn from.
    """
    if records.num_rows < ENOUGH_RECORDS:
        raise CannotMatch(
            f"{records.num_rows} customer records: at least {ENOUGH_RECORDS} are needed to learn how they vary"
        )
    logging.getLogger("splink").setLevel(logging.ERROR)
    with duckdb.connect() as scratch, warnings.catch_warnings():
        scratch.execute("set TimeZone = 'UTC'")
        predictions = _trained(scratch, records).inference.predict(threshold_match_probability=threshold)
        agreeing = ", ".join(f"case when gamma_{column} > 0 then '{column}' end" for column in COMPARED)
        return scratch.execute(
            f"""
            select
                record_id_l as record_id, record_id_r as other_record_id, match_probability,
                concat_ws(', ', {agreeing}) as agreeing_columns
            from {predictions.physical_name}
            """
        ).to_arrow_table()


def _trained(scratch: duckdb.DuckDBPyConnection, records: pa.Table) -> Any:
    """Splink's model: how often records agree by chance, from random pairs, and how often those that keys join do."""
    splink = _splink()
    scratch.register("records", records)
    rare = ", ".join(
        f"case when count(*) over (partition by {column}) <= {MOST_SHARING} then {column} end as rare_{column}"
        for column in COMPARED_BY
    )
    # In order, so that the same pairs are drawn to learn from.
    scratch.execute(f"create table candidates as select *, {rare} from records order by record_id")
    database = splink.DuckDBAPI(scratch)
    linker = splink.Linker(database.register("candidates"), _settings(splink), log_level=logging.ERROR)
    joined = [splink.block_on("customer_id")]
    linker.training.estimate_probability_two_random_records_match(joined, recall=RECALL)
    linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=SEED)
    linker.training.estimate_m_from_label_column("customer_id")
    return linker


def _settings(splink: Any) -> Any:
    import splink.comparison_library as compare

    return splink.SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="record_id",
        comparisons=[
            compare.JaroWinklerAtThresholds("full_name", [0.92, 0.8]),
            compare.DateOfBirthComparison("birth_date", input_is_string=False),
            compare.LevenshteinAtThresholds("email", 2),
            compare.ExactMatch("phone"),
            compare.ExactMatch("loyalty_key"),
            compare.ExactMatch("postal_code"),
        ],
        blocking_rules_to_generate_predictions=[splink.block_on(f"rare_{column}") for column in COMPARED_BY],
    )


def _splink() -> Any:
    try:
        import splink
    except ImportError:
        raise MissingPackage(
            "millpond match needs splink, which is not installed: pip install 'millpond[splink]'"
        ) from None
    return splink
