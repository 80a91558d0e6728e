"""Homes for tests: each test has its own, none touches that of a user."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

SHOP = Path(__file__).parent / "shop.sql"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home."""
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw files of a made-up shop: 400 customers, 400 days, letters every two months (tests/shop.sql)."""
    raw = tmp_path_factory.mktemp("shop") / "raw"
    for table in ("crm/customers", "crm/consents", "invoices/invoices", "invoices/lines", "invoices/products"):
        (raw / table).mkdir(parents=True)
    for table in ("campaigns", "messages", "events"):
        (raw / "communications" / table).mkdir(parents=True)
    duckdb.connect().execute(SHOP.read_text().replace("$raw", str(raw)))
    return raw


@pytest.fixture(scope="session")
def session_environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
