"""A user's mistake is one line that says what to do, has its own exit code, and changes nothing."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from millpond import checking, cli, errors, features, lake, landing, pipeline, question


def millpond(*words: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own, as a user runs it."""
    return subprocess.run([sys.executable, "-m", "millpond", *words], capture_output=True, text=True, check=False)


def write(home: Path, table: str, query: str) -> Path:
    file = home / "raw" / table / "rows.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({query}) to '{file}' (format parquet)")
    return file


INVOICE = """
    select
        'shop' as source_system, 'i1' as invoice_id,
        timestamp '2024-01-05 10:00' as invoiced_at, 'c1' as customer_key
"""


def test_unknown_adapter_lists_the_known_ones(home: Path) -> None:
    with pytest.raises(
        errors.UnknownAdapter, match="unknown adapter cdnov: choose one of cdnow, complete_journey, online_retail, or"
    ):
        landing.land("cdnov")
    assert not home.exists()


def test_missing_package_says_how_to_install_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.MissingPackage, match="package lifetimes is not installed: install it with"):
        landing.land("cdnow")
    assert not home.exists()


@pytest.mark.usefixtures("home")
def test_redis_without_its_client_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLPOND_REDIS", "127.0.0.1")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(errors.MissingPackage, match=r"pip install 'millpond\[redis\]', or unset it"):
        features.store()


def test_wrong_source_lands_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("who when what much\n1 yesterday 2 3.50\n")
    with pytest.raises(errors.NotTheData, match=r"other\.txt is not the data of cdnow"):
        landing.land("cdnow", tmp_path / "other.txt")
    assert not list(home.glob("raw/**/*.parquet"))
    assert not list(home.glob("landing-*"))


def test_empty_raw_folder_is_one_line_and_leaves_no_tables(home: Path) -> None:
    done = millpond("build")
    assert done.returncode == errors.NoRawData.exit_code
    assert done.stderr.strip().count("\n") == 0
    assert "no raw data in" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    with pytest.raises(errors.NotBuilt, match="no lake in"):
        lake.connect()


def test_missing_required_column_names_table_and_column(home: Path) -> None:
    write(home, "invoices/invoices", "select 'shop' as source_system, 'i1' as invoice_id")
    with pytest.raises(errors.MissingColumn, match="no file of invoices/invoices has the required column invoiced_at"):
        pipeline.build(as_of=None)


def test_corrupt_parquet_file_is_named(home: Path) -> None:
    file = write(home, "invoices/invoices", INVOICE)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(errors.UnreadableFile, match=r"rows\.parquet.*land it again, or remove it"):
        pipeline.build(as_of=None)


def test_as_of_date_before_all_data_says_the_first_date(home: Path) -> None:
    write(home, "invoices/invoices", INVOICE)
    done = millpond("build", "--as-of", "2024-01-05")
    assert done.returncode == errors.AsOfBeforeData.exit_code
    assert "as-of date 2024-01-05 has no event before it: choose a date after 2024-01-05" in done.stderr


def test_second_writer_gets_one_line(home: Path) -> None:
    write(home, "invoices/invoices", INVOICE)
    with lake.writing():
        done = millpond("build")
    assert done.returncode == errors.LakeLocked.exit_code
    assert "another process is writing to" in done.stderr


def test_as_of_date_in_the_future_is_refused(home: Path) -> None:
    write(home, "invoices/invoices", INVOICE)
    with pytest.raises(
        errors.AsOfInFuture, match="as-of date 2999-01-01 lies in the future: choose tomorrow at the latest"
    ):
        pipeline.build(as_of=date(2999, 1, 1))


def test_corrupt_catalog_is_one_line(home: Path) -> None:
    (home / "lake").mkdir(parents=True)
    (home / "lake" / "catalog.sqlite").write_text("this was a catalog")
    done = millpond("sql", "select 1")
    assert done.returncode == errors.LakeUnreadable.exit_code
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("step", [pipeline.score, pipeline.decide, pipeline.publish])
def test_step_before_the_build_names_the_build(home: Path, step: "pipeline.Callable[[], object]") -> None:
    with pytest.raises(errors.NotBuilt, match="run `millpond build` first"):
        step()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["score", "--horizons", "7,x"], "expected whole days from 1 to 3650"),
        (["score", "--horizons", "0"], "expected whole days from 1 to 3650"),
        (["score", "--horizons", "7,3²"], "expected whole days from 1 to 3650"),
        (["train", "churn"], "expected repurchase_timing or"),
        (["build", "--as-of", "yesterday"], "does not match the format"),
        (["contract", "--out", "/no/such/folder/schema.json"], "cannot be written: No such file or directory"),
    ],
)
def test_wrong_argument_is_a_usage_error(words: list[str], message: str) -> None:
    done = CliRunner().invoke(cli.app, words, env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 2
    assert message in done.output


def test_check_reads_the_folder_it_is_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def check_raw(raw: Path, *, on_node: object, on_notice: object) -> checking.RawCheck:
        asked.append(raw)
        return checking.RawCheck([], [])

    monkeypatch.setattr(checking, "check_raw", check_raw)
    for words in (["check", "."], ["check"]):
        assert CliRunner().invoke(cli.app, words).exit_code == 0
    assert asked == [Path(), home / "raw"]


def test_question_that_would_write_is_refused(home: Path) -> None:
    write(home, "invoices/invoices", INVOICE)
    with lake.writing(), duckdb.connect() as _:
        pass
    _empty_lake(home)
    with pytest.raises(errors.BadQuery, match="read-only"):
        question.ask("create table lake.main.t as select 1 as one")
    with pytest.raises(errors.BadQuery, match=r"expected a file that ends in \.parquet or \.csv"):
        question.ask("select 1 as one", home / "answer.xls")
    assert "1" in question.ask("select 1 as one")
    assert "Wrote 1 rows" in question.ask("select 1 as one", home / "answer.csv")
    assert (home / "answer.csv").read_text() == "one\n1\n"


def _empty_lake(home: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("load ducklake")
        connection.execute("load sqlite_scanner")
        connection.execute(
            f"attach 'ducklake:sqlite:{home}/lake/catalog.sqlite' as lake (data_path '{home}/lake/data')"
        )
