"""What every benchmark says about itself: commit, machine, versions; and where its result is kept."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).resolve().parent / "results"
PROJECT = RESULTS.parent.parent
PACKAGES = ("duckdb", "feast", "ibis-framework", "pyarrow", "pandas", "dbt-duckdb", "lightgbm")


def facts() -> dict[str, Any]:
    """Commit, machine and versions; the load says how much else the machine was doing.

    Returns:
        commit, machine, versions: what a result needs beside its figures. No paths, no names of hosts.
    """
    machine = {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.system(),
        "load_average_1_5_15_minutes": [round(load, 2) for load in os.getloadavg()],
    }
    return {"commit": _commit(), "machine": machine, "versions": _versions()}


def write(name: str, result: dict[str, Any]) -> Path:
    """Keep a result as benchmarks/results/<name>.json; an older one is replaced."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return path


def _commit() -> str:
    """The checkout's commit; `-dirty` if anything but a benchmark's result differs from it."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    return f"{commit}-dirty" if changed else commit or "unknown"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu_model() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
