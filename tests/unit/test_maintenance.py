"""What maintenance clears away."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from millpond import erasure, errors, lake, maintenance, pipeline, settings


@pytest.mark.parametrize("folder", ["tmp", "landing-x/raw/crm/cases", "recording-x/communications/visits"])
def test_what_killed_processes_left_goes_a_day_later(home: Path, folder: str) -> None:
    old, new = (home / folder / name for name in ("old.parquet", "new.parquet"))
    old.parent.mkdir(parents=True)
    for file in (old, new):
        file.touch()
    os.utime(old, (0, 0))
    maintenance.maintain(keep_days=0, on_step=pipeline.nothing)
    assert [old.exists(), new.exists()] == [False, True]


@pytest.mark.parametrize(
    "step",
    [
        lambda: maintenance.maintain(keep_days=0, on_step=pipeline.nothing),
        lambda: erasure.erase({"customer_id": set(), "customer_key": {"shop/17"}}, on_step=pipeline.nothing),
    ],
)
def test_an_online_store_that_cannot_be_read_is_one_line(home: Path, step: Callable[[], object]) -> None:
    (home / "online").mkdir(parents=True)
    (home / "online" / "features.db").write_bytes(b"no database" * 1000)
    with pytest.raises(
        errors.UnreadableFile, match=r"features\.db cannot be read \(file is not a database\): remove it"
    ):
        step()


def test_files_stay_where_a_team_has_no_lake_in_the_catalog_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    monkeypatch.setenv("MILLPOND_CATALOG", "postgres:dbname=mistyped")
    monkeypatch.setattr(lake, "exists", lambda: False)
    file = settings.data_folder() / "marts" / "customers.parquet"
    file.parent.mkdir(parents=True)
    file.touch()
    maintenance.forget_past()
    assert file.exists()
