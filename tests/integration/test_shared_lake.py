"""One writer at a time; a step that fails leaves the lake as it was, and what it had written can be looked at."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from test_killed import COMMAND, POINTS, killed_after

from feast_lake import reader
from millpond import errors, features, lake, pipeline, question, settings

AS_OF = date(2024, 2, 6)


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)


def dbt(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Bare dbt, at the root of the project; it parses that anew only when its variables change."""
    return run("dbt.cli.main", *words, "--target-path", str(home / "bare"), "--log-path", str(home / "bare"))


def identity() -> tuple[int, int]:
    """What changes when something is published."""
    status = settings.catalog().stat()
    return status.st_ino, status.st_mtime_ns


def ask(query: str) -> list[tuple[Any, ...]]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def built(built_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("shared") / "home"
    shutil.copytree(built_shop, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        patch.chdir(settings.PROJECT)
        yield home


class TestBareDbt:
    def test_it_is_told_who_is_writing(self, built: Path) -> None:
        with lake.writing():
            done = dbt(built, "run", "--select", "products")
        assert done.returncode != 0
        assert f"another process is writing to {built}" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr

    def test_what_it_builds_is_published_when_all_is_good(self, built: Path) -> None:
        before = identity()
        done = dbt(built, "run", "--select", "products")
        assert done.returncode == 0, done.stdout
        assert identity() != before
        assert sorted(file.name for file in (built / "lake").iterdir()) == ["catalog.sqlite", "data", "writer.lock"]

    def test_commands_that_read_change_nothing_and_take_no_lock(self, built: Path) -> None:
        before = identity()
        with lake.writing():
            done = dbt(built, "show", "--inline", "select count(*) as n from {{ ref('products') }}")
        assert done.returncode == 0, done.stdout
        assert identity() == before

    def test_a_test_that_fails_publishes_nothing(self, built: Path) -> None:
        before = identity()
        done = dbt(built, "build", "--select", "base_invoices__lines", "--vars", "{max_quarantine_share: -1}")
        assert done.returncode == 1
        assert identity() == before
        assert (built / "lake" / "failed.sqlite").exists()
        found = "select table_name from duckdb_tables() where table_name = 'base_invoices__lines'"
        assert "base_invoices__lines" in question.ask(found, failed=True)

    @pytest.mark.slow
    def test_retry_is_refused(self, built: Path) -> None:
        before = identity()
        dbt(built, "build", "--select", "base_invoices__lines", "--vars", "{max_quarantine_share: -1}")
        done = dbt(built, "retry")
        assert done.returncode != 0
        assert "run the whole command again" in done.stdout
        assert identity() == before


class TestFailed:
    @pytest.mark.slow
    def test_rows_that_stopped_a_build_can_be_asked_for(self, built: Path) -> None:
        file = built / "raw" / "invoices" / "lines" / "bad.csv"
        before = ask("select count(*) from staging.base_invoices__lines")
        good = next(file.parent.glob("*.parquet"))
        file.write_text("source_system,invoice_id,line_no,product_key,quantity\n" + "shop,,1,p1,1\n" * 100_000)
        try:
            with pytest.raises(errors.TooManyRejected, match="millpond sql --failed 'select distinct") as caught:
                pipeline.build(as_of=AS_OF)
        finally:
            file.unlink()
        query = str(caught.value).split("'")[1]
        assert "invoice_id" in question.ask(query, failed=True)
        assert ask("select count(*) from staging.base_invoices__lines") == before
        assert good.exists()

    def test_nothing_is_kept_once_another_step_has_written(self, built: Path) -> None:
        with lake.writing(), lake.connect(read_only=False) as connection:
            connection.execute("create or replace table main.note as select 1 as one")
        with pytest.raises(errors.NotBuilt, match="nothing of a failed build is kept"):
            question.ask("select 1", failed=True)

    def test_what_raises_under_writing_is_not_published(self, built: Path) -> None:
        before = identity()
        with pytest.raises(ZeroDivisionError):
            _write_and_fail()
        assert identity() == before


def _write_and_fail() -> None:
    with lake.writing(), lake.connect(read_only=False) as connection:
        connection.execute("create or replace table main.note as select 2 as one")
        raise ZeroDivisionError


def test_a_writer_outside_writing_is_refused(built: Path) -> None:
    with pytest.raises(RuntimeError, match="only written to under"):
        lake.connect(read_only=False)


@pytest.mark.slow
def test_a_second_writer_can_wait(built: Path) -> None:
    with lake.writing():
        refused = run("millpond", "publish")
        waiting = subprocess.Popen([sys.executable, "-m", "millpond", "publish", "--wait", "300"])
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=1)
    assert refused.returncode == errors.LakeLocked.exit_code
    assert "another process is writing to" in refused.stderr
    assert waiting.wait(timeout=300) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that a build of the shop fills."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_the_last_good_state(
    built: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(built / "raw", small_disk / "raw")
    shutil.copytree(built / "lake", small_disk / "lake")
    before = ask("select count(*) from marts.invoice_lines")
    free = shutil.disk_usage(small_disk).free
    (small_disk / "ballast").write_bytes(b"1" * (free - 1_500_000))
    monkeypatch.setenv("MILLPOND_HOME", str(small_disk))
    done = run("millpond", "build", "--as-of", AS_OF.isoformat(), "--full-refresh")
    assert done.returncode == errors.DiskFull.exit_code, done.stderr
    assert done.stderr.count("\n") == 1
    assert f"the disk of {small_disk} is full" in done.stderr
    assert ask("select count(*) from marts.invoice_lines") == before


@pytest.mark.slow
class TestTeam:
    """The same commands with the catalog in PostgreSQL."""

    @pytest.fixture
    def team(self, shop: Path, home: Path, team_catalog: str, monkeypatch: pytest.MonkeyPatch) -> Path:
        shutil.copytree(shop, home / "raw")
        monkeypatch.setenv("MILLPOND_CATALOG", team_catalog)
        monkeypatch.setenv("MILLPOND_DATA", str(home / "shared"))
        monkeypatch.chdir(settings.PROJECT)
        return home

    def test_the_loop_runs_and_a_killed_build_leaves_the_last_good_state(self, team: Path, team_catalog: str) -> None:
        with pytest.raises(errors.NotBuilt, match="no lake in PostgreSQL"):
            lake.connect()
        pipeline.build(as_of=AS_OF)
        before = ask("select count(*), sum(net_amount) from marts.invoice_lines")
        (team / "logs" / "dbt.log").unlink()
        assert killed_after(team / "logs" / "dbt.log", POINTS[1], COMMAND) < 0
        assert ask("select count(*), sum(net_amount) from marts.invoice_lines") == before
        assert pipeline.publish(wait_seconds=60)
        assert sum(pipeline.decide(wait_seconds=60).values()) == 400
        assert "400" in question.ask("select count(*) from decisions.next_best_actions where rank = 1")
        with reader(settings.catalog_address(), settings.data_path()) as connection:
            newest = (
                "select customer_id, max(observation_date) as event_timestamp from features.customer_rhythm group by 1"
            )
            entities = connection.execute(newest).df()
        store = features.store()
        rows = store.get_historical_features(
            entity_df=entities, features=store.get_feature_service("repurchase_timing")
        ).to_df()
        assert len(rows) == len(entities) > 0
        assert not (team / "lake" / "catalog.sqlite").exists()
        with lake.writing():
            second, bare = run("millpond", "decide"), dbt(team, "run", "--select", "products")
        assert second.returncode == errors.LakeLocked.exit_code
        assert "another process is writing to PostgreSQL" in second.stderr
        assert "another process is writing to the lake in PostgreSQL" in bare.stdout
