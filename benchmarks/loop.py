"""Time and peak memory of each step of the loop on Complete Journey, from raw files to decisions.

Each step is the command of that name in a process of its own: its memory is its own, and its time includes starting
Python. Writes benchmarks/results/loop.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from machine import facts, write

STEPS = (
    ("land", ["land", "complete_journey"]),
    ("build", ["build"]),
    ("publish", ["publish"]),
    ("train", ["train"]),
    ("score", ["score"]),
    ("decide", ["decide"]),
)
GOALS = {"seconds": 300, "peak_mib": 4096, "feature_models_seconds": 60}


def run_step(words: list[str], home: Path) -> dict[str, float]:
    """Run one command to its end; wall seconds and its highest resident set in MiB."""
    environment = {**os.environ, "MILLPOND_HOME": str(home)}
    begin = perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "millpond", *words], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"millpond {' '.join(words)} failed with status {status}")
    return {"seconds": round(perf_counter() - begin, 2), "peak_mib": round(usage.ru_maxrss / 1024, 1)}


def feature_models(home: Path) -> dict[str, float]:
    """Seconds that dbt took for each feature model of the last build."""
    results = json.loads((home / "target" / "run_results.json").read_text())["results"]
    return {
        result["unique_id"].split(".")[-1]: round(result["execution_time"], 2)
        for result in results
        if result["unique_id"].startswith("model.millpond.customer_")
        and '"features"' in (result["relation_name"] or "")
    }


def measure(home: Path) -> dict[str, Any]:
    """The whole loop in an empty home."""
    steps = {}
    for name, words in STEPS:
        steps[name] = run_step(words, home)
        if name == "build":
            features = feature_models(home)
    return {
        "seconds": round(sum(step["seconds"] for step in steps.values()), 1),
        "peak_mib": max(step["peak_mib"] for step in steps.values()),
        "feature_models_seconds": round(sum(features.values()), 1),
        "goals": GOALS,
        "steps": steps,
        "feature_models": features,
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    before = facts()
    with tempfile.TemporaryDirectory(prefix="millpond-loop-") as folder:
        result = measure(Path(folder))
    path = write("loop", {**before, **result})
    print(f"{result['seconds']} s, peak {result['peak_mib']:,.0f} MiB: {path.name}")


if __name__ == "__main__":
    main()
