# Each target is complete from a fresh clone: it needs Python 3.11, make and git, nothing else.
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test test-all lint types style bench clean

demo: .venv/installed
	millpond land complete_journey
	millpond run

test: lint
	pytest

# With the tests that build many times over.
test-all: lint
	pytest -m ""

# Types and SQL are checked beside each other: each leaves a core idle at times.
lint: .venv/installed
	ruff check .
	ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 --output-sync types style

types: .venv/installed
	mypy

style: .venv/installed
	sqlfluff lint models tests/dbt --processes 2

bench: .venv/installed
	python benchmarks/loop.py
	python benchmarks/point_in_time.py
	python benchmarks/point_in_time_at_scale.py
	python benchmarks/lake.py
	python benchmarks/online.py
	python benchmarks/models.py
	python benchmarks/worlds.py
	python benchmarks/training_time.py

# pip would compile the packages on one core.
.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement requirements.lock
	-$(BIN)/python -W ignore -m compileall -qq -j 0 .venv/lib
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -c "import feast_lake; feast_lake.install_extensions()"
	touch $@

# Removes what commands made in the checkout; a home that MILLPOND_HOME names stays.
clean:
	rm -rf .millpond .venv target logs .mypy_cache .pytest_cache .ruff_cache .hypothesis millpond.egg-info
