"""Telephone numbers as E.164, by Google's rules for every country: no SQL can know them.

Incremental, because a number as typed means the same for ever: each is read once.
"""

from collections.abc import Iterator

import phonenumbers
import pyarrow as pa

BATCH_ROWS = 50_000
SCHEMA = pa.schema([("phone", pa.string()), ("country", pa.string()), ("e164", pa.string())])

# Numbers as typed, with the country that says how to read one that is not written as from abroad ('': none told).
TYPED = """
select distinct typed.phone, coalesce(typed.country, '') as country
from records as typed
where typed.phone is not null
"""
NOT_YET_READ = """
    and not exists (
        select 1 from {this} as built
        where built.phone = typed.phone and built.country = coalesce(typed.country, '')
    )
"""


def e164(phone: str, country: str) -> str | None:
    """The number as +<calling code><number>; None when no country's rules allow it."""
    try:
        number = phonenumbers.parse(phone, country.strip().upper() or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalised(typed: pa.Table) -> Iterator[pa.RecordBatch]:
    """Batches of SCHEMA, so that a million numbers never lie in memory as Python objects at once."""
    for batch in typed.to_batches(max_chunksize=BATCH_ROWS):
        phones, countries = batch.column(0), batch.column(1)
        numbers = [
            e164(phone, country) for phone, country in zip(phones.to_pylist(), countries.to_pylist(), strict=True)
        ]
        yield pa.record_batch([phones, countries, pa.array(numbers, pa.string())], schema=SCHEMA)


def model(dbt, session):  # type: ignore[no-untyped-def]
    dbt.config(materialized="incremental", incremental_strategy="append")
    query = TYPED + (NOT_YET_READ.format(this=dbt.this) if dbt.is_incremental else "")
    typed = dbt.ref("stg_crm__customers").query("records", query).to_arrow_table()
    return pa.Table.from_batches(normalised(typed), schema=SCHEMA)
