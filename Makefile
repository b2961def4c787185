# Everything that must hold before a change lands: make check
PYTHON ?= python

.PHONY: check format lint types imports test benchmark

check: lint types imports test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

imports:
	PYTHONPATH=translate:app:export lint-imports

test:
	$(PYTHON) -m pytest

benchmark:
	$(PYTHON) tests/benchmarks/run.py
