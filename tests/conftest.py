"""Homes for tests: each test has its own, none touches that of a user."""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import psycopg
import pytest
from filelock import FileLock
from hypothesis import settings

# Debian keeps servers out of the path.
PG_CTL = shutil.which("pg_ctl") or max(map(str, Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")), default=None)
SHOP = Path(__file__).parent / "shop.sql"

# The workers share the cores: threads of numpy's algebra that wait in loops would take them from the other worker.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# How long an example takes on a busy machine says nothing of the code.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


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
def built_shop(shop: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A home of the shop as of 2024-02-06, built with all tests of data and published; tests work on copies of it.

    The worker that needs it first makes it for all.
    """
    # Not at the top: the process that hands the tests out needs none of its libraries.
    from millpond import pipeline

    own = tmp_path_factory.getbasetemp()
    home = (own if worker_id == "master" else own.parent) / "built_shop"
    published = home.with_suffix(".published")
    with FileLock(home.with_suffix(".lock")), pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        if not published.exists():
            shutil.copytree(shop, home / "raw", dirs_exist_ok=True)
            pipeline.build(as_of=date(2024, 2, 6))
            pipeline.publish()
            published.touch()
    return home


@pytest.fixture(scope="session")
def session_environment() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Connection string of a PostgreSQL server of the tests' own, on this machine, at a free port."""
    if not PG_CTL:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    # A server refuses to run as root, and its user must be able to enter the folder.
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="millpond-postgres-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        if user:
            shutil.chown(folder, user)
        probe.close()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
        run = partial(subprocess.run, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)
        run([Path(PG_CTL).with_name("initdb"), "-D", f"{folder}/data", "-U", "millpond", "-A", "trust", "-E", "UTF8"])
        run([PG_CTL, "-D", f"{folder}/data", "-l", f"{folder}/log", "-w", "-o", options, "start"])
        try:
            yield f"host=127.0.0.1 port={port} user=millpond"
        finally:
            run([PG_CTL, "-D", f"{folder}/data", "-m", "immediate", "-w", "stop"])


@pytest.fixture
def team_catalog(postgres_server: str) -> str:
    """Address of a catalog that no lake was ever published in, in a database of the test's own."""
    name = f"lake_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server} dbname=postgres", autocommit=True) as session:
        session.execute(f"create database {name}")
    return f"postgres:{postgres_server} dbname={name}"
