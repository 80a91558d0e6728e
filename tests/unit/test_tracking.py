"""Trained versions in MLflow: the same figures and files, and never at the cost of the version."""

import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from millpond import errors, pipeline, tracking
from training.evaluation import Interval
from training.figures import Figures

FIGURES = Figures(
    "400 customers as of 2024-01-01",
    {"model": {"log_loss": 0.31, "auc": float("nan")}, "bg_nbd": {"log_loss": 0.34}},
    {"bg_nbd": Interval(0.09, 0.04, 0.14)},
    intervals={"log_loss": Interval(0.31, 0.29, 0.33)},
)
STATED = {"as_of": "2024-01-01", "lake_snapshot": 7, "method": "trees", "limits": "none that we know"}


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "repurchase_timing" / "2024-01-01-1f0c9a2b"
    (folder / "plots").mkdir(parents=True)
    (folder / "model_card.md").write_text("# Repurchase timing\n")
    (folder / "plots" / "gain.svg").write_text("<svg/>")
    return folder


def test_version_is_a_run_with_its_figures_and_files(
    version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/tracked")
    # Folders need no server; MLflow asks whether one means it.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert tracking.log("repurchase_timing", version, STATED, FIGURES) is None
    assert tracking.log("repurchase_timing", version, STATED, None) is None

    client = MlflowClient()
    experiment = client.get_experiment_by_name("millpond-repurchase_timing")
    untested, run = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == version.name
    assert run.info.status == "FINISHED"
    assert run.data.params == {"as_of": "2024-01-01", "lake_snapshot": "7", "method": "trees"}
    assert run.data.metrics == {
        "model/log_loss": 0.31,
        "model/log_loss_low": 0.29,
        "model/log_loss_high": 0.33,
        "bg_nbd/log_loss": 0.34,
        "gain_over_bg_nbd/estimate": 0.09,
        "gain_over_bg_nbd/low": 0.04,
        "gain_over_bg_nbd/high": 0.14,
    }
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["model_card.md", "plots"]
    assert untested.data.metrics == {}


def test_server_that_is_gone_costs_a_line_and_not_the_version(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    notice = tracking.log("repurchase_timing", version, STATED, FIGURES)
    assert notice
    assert notice.startswith(f"{version.name} is kept and in use, but MLflow did not take it: ")
    assert "\n" not in notice


def test_without_the_variable_nothing_is_logged(version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert tracking.log("repurchase_timing", version, STATED, FIGURES) is None


def test_training_does_not_begin_where_mlflow_is_wanted_and_missing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.MissingPackage, match=r"pip install 'millpond\[mlflow\]', or unset the variable"):
        pipeline.train("repurchase_timing")
