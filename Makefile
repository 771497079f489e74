# Everything here works on a fresh machine that has Python 3.11 and make: the first target that
# needs .venv makes it. `make run` starts a demo, `make test` runs the suite.

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
# Two cores are kept busy by three processes, since tests wait for the database a lot.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install run test check fix bench proof fuzz docs lock screenshots

help:
	@echo "make run    start a demo on this machine"
	@echo "make test   run the suite"
	@echo "make check  formatting, lint, types, layers, sizes, pins, generated files"
	@echo "make fix    format, and repair what the linter can"
	@echo "make docs   write the generated pages and the OpenAPI document"
	@echo "make proof  the long tests        make fuzz  generated requests"
	@echo "make screenshots  pictures of the main pages for the documentation"
	@echo "make bench  the measurements      make lock  write constraints.txt anew"

# Anything that changes what is installed makes the environment stale.
.venv/.stamp: pyproject.toml constraints.txt tools/bootstrap
	tools/bootstrap $(PYTHON)
	@touch $@

install: .venv/.stamp

run: install
	$(BIN)/tokportal-server demo

# The ledger compares the statuses that the whole suite met with those that are declared.
test: install
	tools/browser
	rm -rf build/status_ledger
	STATUS_LEDGER_DIR=$(CURDIR)/build/status_ledger \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not proof and not fuzz" $(PYTEST_ARGS)
	$(BIN)/python -m tools.status_ledger build/status_ledger

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src tests tools
	$(BIN)/lint-imports
	$(BIN)/python -m tools.size_ratchet
	$(BIN)/python -m tools.lock_check
	$(BIN)/tokportal-server openapi --check
	$(BIN)/tokportal-server docs --check

fix: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install
	$(BIN)/tokportal-server openapi
	$(BIN)/tokportal-server docs

# pytest ends with 5 when nothing carries the mark.
proof fuzz: install
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal -m $@ $(PYTEST_ARGS) || { \
		code=$$?; \
		if [ $$code = 5 ]; then echo "No test is marked $@ yet."; else exit $$code; fi; }

# Of a workspace that a test sets up; only times and ids differ from run to run.
screenshots: install
	tools/browser
	$(BIN)/python -m tools.screenshots
	$(BIN)/python -m tools.recording

bench: install
	@if ls bench/*.py >/dev/null 2>&1; then \
		broken=; for script in bench/*.py; do \
			echo "== $$script"; $(BIN)/python "$$script" || broken="$$broken $$script"; done; \
		test -z "$$broken" || { echo "Limits broken by:$$broken"; exit 1; }; \
	else echo "There is no script in bench/ yet."; fi

# A clean resolve: an environment that has grown would pin what it happens to hold.
lock:
	rm -rf build/lock
	mkdir -p build
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check '.[demo,dev]'
	{ echo "# Made by make lock: every version that the suite ran with."; \
	  build/lock/bin/pip freeze --exclude tokportal-server; } > build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/lock
