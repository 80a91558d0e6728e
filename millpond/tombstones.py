"""Tombstones: salted hashes of erased keys, so that a file landed again does not bring a person back."""

import csv
import hashlib
import os
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from feast_lake.connection import literal
from millpond import settings
from millpond.person import keyed
from millpond.relations import Relation

HEADER = ("key_sha256", "erased_at", "salt")


def path() -> Path:
    """The home's tombstones. Only its owner may read them: with the salt, guessed keys can be tried."""
    return settings.home() / "erased.csv"


def hash_of(customer_key: str, salt: str) -> str:
    """SHA-256 of the salt and source_system/customer_key, as staging computes it (macros/raw/erased_rows.sql)."""
    return hashlib.sha256((salt + customer_key).encode()).hexdigest()


def read() -> dict[str, tuple[str, str]]:
    """When each erased key was erased, and the salt, by hash."""
    if not path().exists():
        return {}
    with path().open(newline="") as file:
        return {row["key_sha256"]: (row["erased_at"], row["salt"]) for row in csv.DictReader(file)}


def add(customer_keys: Collection[str]) -> None:
    """Set a tombstone for each key that has none; the file is replaced in one step."""
    known = read()
    salt = next((salt for _, salt in known.values()), None) or secrets.token_hex(16)
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    rows = known | {hash_of(key, salt): (now, salt) for key in customer_keys if hash_of(key, salt) not in known}
    staged = path().with_name(".erased.csv.tmp")
    staged.unlink(missing_ok=True)
    with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows((key, *facts) for key, facts in sorted(rows.items()))
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, path())


def is_erased(customer_key: str) -> str | None:
    """When this key was erased; None: never."""
    for key, (erased_at, salt) in read().items():
        if key == hash_of(customer_key, salt):
            return erased_at
    return None


def erased_keys(connection: DuckDBPyConnection, relations: Collection[Relation]) -> set[str]:
    """Keys of erased customers that raw files name again, as source_system/customer_key."""
    if not path().exists():
        return set()
    erased = f"read_csv({literal(str(path()))}, header = true, all_varchar = true)"
    found: set[str] = set()
    for one in relations:
        if {"source_system", "customer_key"} <= set(one.columns):
            hashed = f"sha256((select any_value(salt) from {erased}) || {keyed('customer_key')})"
            rows = connection.execute(
                f"select distinct {keyed('customer_key')} from {one.sql} "
                f"where {hashed} in (select key_sha256 from {erased})"
            )
            found |= {row[0] for row in rows.fetchall()}
    return found
