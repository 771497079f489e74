# Everything here works on a fresh machine that has Python 3.11 and make: the first target that
# needs .venv makes it. `make run` starts a demo, `make test` runs the suite.

PYTHON ?= $(shell command -v python3.11 || echo python3)
BIN := .venv/bin
# Two cores are kept busy by three processes, since tests wait for the database a lot.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help install run test check fix bench peers load proof fuzz audit docs lock screenshots

help:
	@echo "make run    start a demo on this machine"
	@echo "make test   run the suite"
	@echo "make check  formatting, lint, types, layers, sizes, pins, generated files"
	@echo "make fix    format, and repair what the linter can"
	@echo "make docs   write the generated pages and the OpenAPI document"
	@echo "make proof  hazards, long tests   make fuzz  generated requests"
	@echo "make screenshots  pictures of the main pages for the documentation"
	@echo "make bench  the measurements      make load  half an hour of mixed traffic"
	@echo "make lock   write constraints.txt anew  make audit known vulnerabilities, secrets"

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
	tools/servers
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

# The tests of docs/operate/hazards.md, short and long, and every other long one. Those that measure
# time run afterwards, with nothing beside them. SEED draws other moments and other sequences.
SEED ?= 1
PROVE = PROOF_SEED=$(SEED) $(BIN)/python -m pytest -p tools.proof_results --hypothesis-seed=$(SEED)

proof: install
	tools/browser
	tools/servers
	@failed=; \
	$(PROVE) -n 2 --dist worksteal -m "(proof or hazard) and not alone and not fuzz" $(PYTEST_ARGS) \
		|| failed=1; \
	$(PROVE) -m alone $(PYTEST_ARGS) || test $$? = 5 || failed=1; \
	$(BIN)/python -m tools.proof_page; \
	test -z "$$failed"

# Secrets in what git keeps and kept, then advisories about the pins. Not knowing is told as "Error 3":
# the service must be reachable, which is why no part of `make test` asks it.
audit: install
	$(BIN)/python -m tools.secrets_scan
	$(BIN)/python -m tools.secrets_scan --history
	$(BIN)/python -m tools.dependency_audit

# Each parser for FUZZ_SECONDS under atheris, and generated requests for as long as they take.
fuzz: install
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m fuzz $(PYTEST_ARGS)

# Of a workspace that a test sets up; only times and ids differ from run to run.
screenshots: install
	tools/browser
	$(BIN)/python -m tools.screenshots
	$(BIN)/python -m tools.recording

# SCRIPTS="wire start" measures a part; the page keeps the other results with their dates.
SCRIPTS ?= $(filter-out load_run,$(basename $(notdir $(wildcard bench/*.py))))

bench: install
	-@$(MAKE) --no-print-directory peers
	@broken=; for script in $(SCRIPTS); do \
		echo "== $$script"; $(BIN)/python "bench/$$script.py" || broken="$$broken $$script"; done; \
	$(BIN)/python -m tools.bench_page; \
	test -z "$$broken" || { echo "Limits broken by:$$broken"; exit 1; }

# What is compared with, each in an environment of its own; a script says which one it misses.
peers: build/peers/python/.stamp build/peers/node/.stamp

build/peers/python/.stamp: bench/peers/requirements.txt
	$(PYTHON) -m venv build/peers/python
	build/peers/python/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

build/peers/node/.stamp: bench/peers/package.json
	mkdir -p build/peers/node
	cp $< build/peers/node/
	cd build/peers/node && npm install --silent --no-audit --no-fund
	@touch $@

# Half an hour of mixed traffic against two API processes and two workers, with nothing beside it.
MINUTES ?= 30

load: install
	$(BIN)/python bench/load_run.py --minutes $(MINUTES) --page

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
