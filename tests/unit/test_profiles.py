"""What profiles.yml tells dbt of DuckDB."""

import os
from pathlib import Path

import pytest
import yaml
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.environments.local import LocalEnvironment
from jinja2 import Template

from millpond import settings


@pytest.mark.parametrize("target", ["local", "team"])
def test_a_model_can_follow_one_that_was_too_large_for_memory(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path))
    text = Template((settings.PROJECT / "profiles.yml").read_text()).render(env_var=lambda name, other="": other)
    profile = yaml.safe_load(text)["millpond"]["outputs"][target]
    # Without the lake: only what is set.
    without = {name: value for name, value in profile.items() if name not in ("attach", "plugins", "extensions")}
    spill = tmp_path / "spill"
    without["config_options"]["temp_directory"] = str(spill)
    environment = LocalEnvironment(DuckDBCredentials.from_dict({**without, "schema": "main", "database": "memory"}))
    try:
        cursor = environment.handle().cursor()
        cursor.execute("set memory_limit = '80MB'")
        cursor.execute("create temp table large as select hash(n) as h from range(12000000) as t(n) order by h")
        assert os.listdir(spill)
        assert environment.handle().cursor().execute("select 1").fetchall() == [(1,)]
    finally:
        environment.close()
