"""A step that is killed loses nothing: the next run completes and equals an undisturbed one."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from millpond import errors, lake, pipeline

# Builds many times over.
pytestmark = pytest.mark.slow

EARLIER, AS_OF = date(2023, 8, 7), date(2023, 10, 2)
COMMAND = ["build", "--as-of", AS_OF.isoformat()]
TABLES = ("marts.invoice_lines", "features.customer_rhythm", "features.customer_communications")


def killed_after(log: Path, words: str, command: list[str]) -> int:
    """Start a command and kill it as soon as its log speaks these words."""
    process = subprocess.Popen(
        [sys.executable, "-m", "millpond", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and words in log.read_text():
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    return process.wait()


def content() -> list[list[tuple[Any, ...]]]:
    with lake.connect() as connection:
        return [connection.execute(f"select * from {table} order by all").fetchall() for table in TABLES]


# Asks in a loop, by a connection that stays, by new ones and by Feast's reader, two questions in one transaction each.
READER = """
import json, sys
from pathlib import Path
import feast_lake
from millpond import lake, settings

LINES = "select count(*), cast(sum(net_amount) as varchar) from marts.invoice_lines"
REST = '''
    select
        (select sum(accepted) from marts.load_audit where raw_table = 'invoices/lines'),
        (select count(*) from features.customer_rhythm),
        (select cast(as_of_date as varchar) from intermediate.int_as_of_date)
'''

def state(connection):
    connection.begin()
    [(count, amount)] = connection.execute(LINES).fetchall()
    [(accepted, features, as_of)] = connection.execute(REST).fetchall()
    connection.commit()
    return count, amount, int(accepted), features, as_of

stop, seen, stays = Path(sys.argv[1]), [], lake.connect()
while True:
    is_last = stop.exists()
    with lake.connect() as new, feast_lake.reader(settings.catalog_address(), settings.data_path()) as kept:
        for found in map(state, (stays, new, kept)):
            if found not in seen:
                seen.append(found)
                print(json.dumps(found), flush=True)
    if is_last:
        break
"""
POINTS = (
    "START sql incremental model staging.base_invoices__lines",
    "START sql history model features.customer_rhythm",
    "START hook: millpond.on-run-end.0",
)


@contextmanager
def asking(stop: Path) -> Iterator[list[list[Any]]]:
    """A reader in another process; once the block has ended, the states that it saw, in order."""
    seen: list[list[Any]] = []
    reader = subprocess.Popen([sys.executable, "-c", READER, str(stop)], stdout=subprocess.PIPE, text=True)
    try:
        yield seen
    finally:
        stop.touch()
        said, _ = reader.communicate(timeout=120)
    assert reader.returncode == 0
    seen += [json.loads(line) for line in said.splitlines()]


def test_readers_see_whole_states_only_whatever_is_killed(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for name in ("undisturbed", "killed"):
        home = tmp_path / name
        shutil.copytree(shop, home / "raw")
        monkeypatch.setenv("MILLPOND_HOME", str(home))
        pipeline.build(as_of=EARLIER)
        if name == "undisturbed":
            with asking(tmp_path / "first") as first:
                pass
            pipeline.build(as_of=AS_OF)
            with asking(tmp_path / "second") as second:
                pass
        else:
            before = content()
            with asking(tmp_path / "stop") as seen:
                for words in POINTS:
                    (home / "logs" / "dbt.log").unlink()
                    assert killed_after(home / "logs" / "dbt.log", words, COMMAND) == -signal.SIGKILL
                    assert content() == before
                pipeline.build(as_of=AS_OF)
            assert seen == first + second
            assert sorted(file.name for file in (home / "lake").iterdir()) == ["catalog.sqlite", "data", "writer.lock"]
        answers.append(content())
    assert answers[0] == answers[1]
    assert all(answers[0])


def test_first_build_that_is_killed_leaves_no_lake(shop: Path, home: Path) -> None:
    shutil.copytree(shop, home / "raw")
    assert killed_after(home / "logs" / "dbt.log", POINTS[0], COMMAND) == -signal.SIGKILL
    with pytest.raises(errors.NotBuilt, match="run `millpond build` first"):
        lake.connect()


def test_interrupted_build_says_so_in_one_line(shop: Path, home: Path) -> None:
    shutil.copytree(shop, home / "raw")
    process = subprocess.Popen(
        [sys.executable, "-m", "millpond", "build"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job hands down that Ctrl-C is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = home / "logs" / "dbt.log"
    while process.poll() is None and not (log.exists() and "START sql incremental" in log.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == "millpond: interrupted; run the same command again to go on\n"
