"""A step that is killed loses nothing: the next run completes and equals an undisturbed one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from millpond import lake, pipeline

AS_OF = date(2023, 10, 2)
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


def test_killed_build_is_completed_by_the_next(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = []
    for name in ("undisturbed", "killed"):
        home = tmp_path / name
        shutil.copytree(shop, home / "raw")
        monkeypatch.setenv("MILLPOND_HOME", str(home))
        if name == "killed":
            log = home / "logs" / "dbt.log"
            command = ["build", "--as-of", AS_OF.isoformat()]
            for words in (
                "START sql table model staging.base_invoices__lines",
                "START sql incremental model features.customer_rhythm",
            ):
                assert killed_after(log, words, command) == -signal.SIGKILL
                log.unlink()
        pipeline.build(as_of=AS_OF)
        answers.append(content())
    assert answers[0] == answers[1]
    assert all(answers[0])


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
    while process.poll() is None and not (log.exists() and "START sql table" in log.read_text()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == "millpond: interrupted; run the same command again to go on\n"
