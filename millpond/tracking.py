"""Trained versions in MLflow too, for teams that keep their experiments there (extra mlflow).

On where MLFLOW_TRACKING_URI is set, MLflow's own way of saying where to log. The version in the home stays the one
that counts: MLflow gets a copy of its folder, and its figures as metrics.
"""

import importlib.util
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from millpond.errors import MissingPackage
from training.figures import Figures

URI = "MLFLOW_TRACKING_URI"
STATED = ("as_of", "lake_snapshot", "data", "method", "test")
"""What a model card states that becomes a parameter of the run."""


def require() -> None:
    """Before a training whose version could not be logged.

    Raises:
        MissingPackage: MLFLOW_TRACKING_URI is set, and MLflow is not installed.
    """
    if os.environ.get(URI) and importlib.util.find_spec("mlflow") is None:
        raise MissingPackage(
            f"{URI} is set, and MLflow is not installed: pip install 'millpond[mlflow]', or unset the variable"
        )


def log(name: str, folder: Path, stated: Mapping[str, Any], figures: Figures | None) -> str | None:
    """Log a version as a run of the experiment millpond-<name>, or of MLFLOW_EXPERIMENT_NAME.

    Args:
        folder: of the version; becomes the run's artifacts.
        stated: what its card states.

    Returns:
        Why it could not be logged, in one line; None: it was, or MLflow is not wanted.
    """
    if not os.environ.get(URI):
        return None
    # By default it tries for minutes, though the version is kept already, and tells its makers that it is used.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.exceptions import MlflowException

    try:
        _log(name, folder, stated, figures)
    except (MlflowException, OSError) as error:
        return f"{folder.name} is kept and in use, but MLflow did not take it: {str(error).splitlines()[0]}"
    return None


def _log(name: str, folder: Path, stated: Mapping[str, Any], figures: Figures | None) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient()
    title = os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"millpond-{name}"
    experiment = client.get_experiment_by_name(title)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(title)
    run = client.create_run(experiment_id, run_name=folder.name, tags={"model": name, "version": folder.name})
    now = int(time.time() * 1000)
    metrics = [Metric(key, value, now, 0) for key, value in _metrics(figures)] if figures else []
    parameters = [Param(key, str(stated[key])) for key in STATED if key in stated]
    client.log_batch(run.info.run_id, metrics=metrics, params=parameters)
    client.log_artifacts(run.info.run_id, str(folder))
    client.set_terminated(run.info.run_id)


def _metrics(figures: Figures) -> Iterator[tuple[str, float]]:
    """Such as ("model/log_loss", .3184) and ("gain_over_bg_nbd/low", .032); a figure without a value is left out."""
    for who, scores in figures.scores.items():
        for figure, value in scores.items():
            if value is not None and math.isfinite(value):
                yield f"{who}/{figure}", float(value)
    for figure, interval in figures.intervals.items():
        # Of a metric that has a name of its own MLflow makes no folder.
        yield from ((f"model/{figure}_{end}", float(getattr(interval, end))) for end in ("low", "high"))
    for who, gain in figures.gains.items():
        yield from ((f"gain_over_{who}/{end}", float(value)) for end, value in gain._asdict().items())
