"""The README of feast_lake, followed from nothing by somebody who has read nothing else."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import feast_lake

README = (Path(feast_lake.__file__).parent / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_what_the_readme_shows_works_in_its_order_in_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHOP_HOME", raising=False)
    feast_lake.install_extensions()
    [settings] = blocks("yaml")
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").write_text(settings)
    shown: dict[str, Any] = {}
    for block in blocks("python"):
        exec(block, shown)
    assert shown["job"].to_arrow()["spend"].to_pylist() == [25.0]
    assert shown["published"] == (1, 1, 0)
    online = shown["store"].get_online_features(["purchases:spend"], [{"customer_id": "ann"}]).to_dict()
    assert online == {"customer_id": ["ann"], "spend": [25.0]}
    with feast_lake.connect("sqlite:.shop/lake/catalog.sqlite") as lake:
        assert lake.execute("select day, rate::double from features.rates").fetchall() == [
            (datetime(2024, 1, 8, tzinfo=UTC).date(), 1.1)
        ]
    # What was written since is not in the past.
    with pytest.raises(feast_lake.LakeError, match="rates"):
        shown["again"].get_historical_features("from features.rates", ["purchases:spend"])
    # All of it lies below the folder.
    assert sorted(path.name for path in tmp_path.iterdir()) == [".shop", "feature_repo"]
