"""Feast's own tools over a built and published home: a training set of own labels, `feast serve`, `feast ui`."""

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import duckdb
import pytest

from millpond import lake, settings


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def built(built_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose features are in the lake and online."""
    home = tmp_path_factory.mktemp("tools") / "home"
    shutil.copytree(built_shop, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        patch.chdir(settings.PROJECT)
        yield home


def label_file(folder: Path) -> Path:
    """Calls to half the shop's customers over five months, and one to somebody whom nobody knows."""
    file = folder / "calls.csv"
    duckdb.sql(
        f"""
        copy (
            select 'shop' as source_system, 'c' || n as customer_key,
                timestamp '2023-04-01 10:30' + interval 1 day * (n % 150) as called_at, n % 3 = 0 as answered
            from range(0, 200) as calls(n)
            union all
            select 'shop', 'nobody', timestamp '2023-04-01 10:30', true
        ) to '{file}' (header)
        """
    )
    return file


@contextmanager
def feast_server(*command: str, answers: str, folder: Path) -> Iterator[str]:
    """A server of Feast's own on a free port, gone at the end; gives its address once `answers` is there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", probe.getsockname()[1])
    program = "import sys; from feast.cli.cli import cli; sys.exit(cli())"
    started = [sys.executable, "-c", program, "-c", "feature_repo", *command, "-h", address[0], "-p", str(address[1])]
    # gunicorn keeps its control socket there.
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    url = f"http://{address[0]}:{address[1]}"
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(started, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            until = monotonic() + 120
            while not answered(f"{url}{answers}"):
                assert server.poll() is None, (folder / "log").read_text()
                assert monotonic() < until, (folder / "log").read_text()
                sleep(0.2)
            yield url
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def answered(url: str) -> bool:
    try:
        with urlopen(url, timeout=10) as response:
            return bool(response.status == 200)
    except (HTTPError, OSError):
        return False


@pytest.mark.usefixtures("built")
def test_the_example_of_the_docs_makes_a_training_set_of_own_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELS", str(label_file(tmp_path)))
    made = runpy.run_path(str(settings.PROJECT / "docs/examples/training_set.py"))
    training_set = made["training_set"]
    assert capsys.readouterr().out.startswith(f"201 rows, {training_set.shape[1]} columns, snapshot ")
    assert training_set["answered"].sum() == 67 + 1
    known = training_set[training_set["customer_id"].notna()]
    [(expected,)] = ask(
        f"""
        select sum(rhythm.days_since_last_purchase)
        from '{tmp_path}/calls.csv' as calls
        inner join marts.customer_keys using (source_system, customer_key)
        asof join features.customer_rhythm as rhythm
            on customer_keys.customer_id = rhythm.customer_id and calls.called_at >= rhythm.observation_date
        """
    )
    assert len(known) == 200
    assert known["days_since_last_purchase"].sum() == expected > 0


@pytest.mark.usefixtures("built")
def test_feast_serve_answers_what_is_online(tmp_path: Path) -> None:
    [(customer,)] = ask("select min(customer_id) from features.customer_rhythm where frequency is not null")
    question = {"feature_service": "repurchase_timing", "entities": {"customer_id": [customer, "nobody"]}}
    with feast_server("serve", answers="/health", folder=tmp_path) as url:
        request = Request(f"{url}/get-online-features", json.dumps(question).encode())
        request.add_header("content-type", "application/json")
        with urlopen(request, timeout=60) as response:
            answer = json.load(response)
    served = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    query = f"select frequency from features.customer_rhythm where customer_id = '{customer}'"
    [(newest,)] = ask(f"{query} order by observation_date desc limit 1")
    assert served["frequency"]["values"] == [newest, None]


@pytest.mark.usefixtures("built")
def test_feasts_web_page_shows_the_views(tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="Feast's page needs grpcio, grpcio-reflection and grpcio-health-checking")
    views = "/api/v1/feature_views?project=millpond"
    with feast_server("ui", answers=views, folder=tmp_path) as url:
        with urlopen(f"{url}{views}", timeout=60) as response:
            found = {each["spec"]["name"] for each in json.load(response)["featureViews"]}
        with urlopen(url, timeout=60) as response:
            assert b"<title>Feast" in response.read()
    assert {"customer_rhythm", "customer_purchases"} <= found
