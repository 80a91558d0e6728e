"""dbt, run inside this process, with its errors in one line."""

import contextlib
import functools
import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from millpond import errors, settings

# What macros raise as `[kind] message` (macros/raw/check_raw_contract.sql).
KINDS = {
    "no_raw_data": errors.NoRawData,
    "missing_column": errors.MissingColumn,
    "unreadable_file": errors.UnreadableFile,
    "as_of_before_data": errors.AsOfBeforeData,
    "as_of_in_future": errors.AsOfInFuture,
    "too_many_rejected": errors.TooManyRejected,
    "other_currency": errors.OtherCurrency,
}

# How DuckDB says that a raw file is not what its name says.
UNREADABLE = re.compile(r"(?=.*\braw/)(Invalid Input Error|Invalid Error|IO Error|CSV Error).*", re.DOTALL)
LOCKED = re.compile(r"database is locked", re.IGNORECASE)


def build(
    *arguments: str,
    variables: dict[str, Any],
    on_node: Callable[[str], None],
    on_notice: Callable[[str], None] = lambda _: None,
) -> None:
    """Run `dbt build` on this project and home: seeds, models and tests of data.

    Unit tests are left to `make test`: they test the models, not the data.

    Args:
        arguments: such as `--select` and what to select.
        variables: dbt variables that override those of dbt_project.yml.
        on_node: called with the name of each model, seed or test that has finished.
        on_notice: called with what macros warn of, such as columns that stay out of the lake.

    Raises:
        UserError: what failed first, in one line; its kind says what to do.
        KeyboardInterrupt: the user stopped it; dbt would swallow that.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    os.environ["MILLPOND_HOME"] = str(settings.home())
    words = ["build", *arguments, "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables), *_places()]
    here = os.getcwd()
    try:
        # What dbt prints is in its log; an error comes as one line.
        with contextlib.redirect_stdout(io.StringIO()), _silent_logging():
            manifest = _manifest(_newest_change(), settings.is_shared())
            result = dbtRunner(manifest, callbacks=[_reporter(on_node, on_notice)]).invoke(words)
    finally:
        os.chdir(here)
        # dbt would keep the lake open, and its memory, until the process ends.
        DuckDBConnectionManager.close_all_connections()
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception
    if not result.success:
        raise _as_user_error(_first_message(result))


def _places() -> list[str]:
    project, home = str(settings.PROJECT), settings.home()
    artefacts = ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    return ["--quiet", "--project-dir", project, "--profiles-dir", project, *artefacts]


@functools.lru_cache(maxsize=1)
def _manifest(newest_change: int, is_shared: bool) -> Any:
    """The parsed project; parsed without variables, which change from build to build and decide nothing before it.

    Raises:
        UserError: a model, macro or yml file that dbt cannot parse.
    """
    from dbt.cli.main import dbtRunner

    parsed = dbtRunner().invoke(["parse", *_places()])
    if not parsed.success:
        raise _as_user_error(str(parsed.exception or "dbt could not parse the project"))
    return parsed.result


def _newest_change() -> int:
    """Of the project's files and folders, in nanoseconds: what was parsed before it is old."""
    folders = [settings.PROJECT / name for name in ("models", "macros", "seeds", "tests/dbt")]
    files = [settings.PROJECT / name for name in ("dbt_project.yml", "profiles.yml")]
    return max(
        path.stat().st_mtime_ns for path in (*files, *folders, *(one for top in folders for one in top.rglob("*")))
    )


@contextlib.contextmanager
def _silent_logging() -> Iterator[None]:
    """A log that cannot be written, on a full disk, is no error of its own."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


def _reporter(on_node: Callable[[str], None], on_notice: Callable[[str], None]) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        if event.info.name == "NodeFinished":
            on_node(event.data.node_info.node_name)
        elif event.info.name == "JinjaLogWarning":
            on_notice(event.data.msg)

    return report


def _first_message(result: Any) -> str:
    """The first failure that a run reports, hooks before models."""
    if result.exception is not None:
        return str(result.exception)
    failed = [one for one in result.result.results if one.status in ("error", "fail", "runtime error")]
    if not failed:
        return "dbt failed without a message"
    if failed[0].node.name == "identity_rounds_suffice":
        return "records hang together in longer chains than were solved: raise the variable identity_rounds"
    return f"{failed[0].node.name}: {failed[0].message}"


def _as_user_error(message: str) -> errors.UserError:
    kind = re.search(r"\[(\w+)\] (.*)", message)
    if kind and kind[1] in KINDS:
        return KINDS[kind[1]](kind[2].strip())
    line = " ".join(message.split())
    if UNREADABLE.search(line):
        return errors.UnreadableFile(f"a raw file cannot be read: {line}: land it again, or remove it")
    if LOCKED.search(line):
        return errors.LakeLocked(f"the lake in {settings.home()} is locked by another process: wait until it ends")
    return errors.BuildFailed(f"{line} (more in {settings.home() / 'logs' / 'dbt.log'})")
