# Safereel: `make run` installs everything and runs the whole system, `make test` installs everything and tests it.
# Needs GNU make 4, Python 3.11 or newer with venv, and Node 20.19 or newer with npm. `make help` lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PORT ?= 8000
# Each worker has a database and a bucket of its own, one of them the browsers. Two cores are full with two: three are no faster.
WORKERS ?= 2
PYTHON ?= python3
# Where somebody's environment forbids it (as in many containers), each of hundreds of processes compiles all that it imports.
export PYTHONDONTWRITEBYTECODE :=
# The packages that `.venv` gets are those of the lock, and nothing asks for a version of pip that is not there.
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input
LOCK := UV_CUSTOM_COMPILE_COMMAND='make lock' .cache/uv/bin/uv pip compile --quiet \
	--universal --python-version 3.11 --generate-hashes --no-emit-index-url

# Stamps: each is written when its step ended well, so an interrupted step is done again.
VENV := .venv/.made
PACKAGES := .venv/.packages
INSTALLED := .venv/.installed
NODE_MODULES := browser/node_modules/.installed
PAGE := browser/dist/.built
# Folders are listed too: their times change when a file in them is removed.
PAGE_SOURCES := $(shell find browser/src browser/public browser/index.html browser/reference.html browser/vite.config.ts 2>/dev/null)
# The browser's types of the API, made from what the control plane says of itself.
TYPES := browser/src/recorder/api.generated.ts
TYPES_SOURCES := $(shell find control_plane/api control_plane/domain -name '*.py')

# Scripts in a venv hold its absolute path, and its Python is a link: a moved folder or a replaced Python needs a new one.
ifneq ($(wildcard $(VENV)),)
$(shell [ "$$(cat $(VENV))" = "$(CURDIR)" ] && .venv/bin/python -c '' 2>/dev/null || rm -rf .venv)
endif

.PHONY: help
help: ## Says what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: node-there $(INSTALLED) $(PAGE) ## Runs the whole system on PORT (8000): database, bucket, control plane and page
	@exec .venv/bin/safereel up --port $(PORT)

.PHONY: test
test: node-there $(INSTALLED) $(PAGE) test-parts ## Runs the tests, also those in a real browser, but for the long ones
	@cd browser && npm test --silent
	@.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadscope $(PYTEST_ARGS)

.PHONY: test-thorough
test-thorough: node-there $(INSTALLED) $(PAGE) test-parts ## Runs the long tests, whose short forms are in `make test`
	@.venv/bin/python -m pytest -m thorough --numprocesses $(WORKERS) --dist loadscope $(PYTEST_ARGS)

.PHONY: test-firefox
test-firefox: node-there $(INSTALLED) $(PAGE) test-parts ## Runs in Firefox what `make test` runs in Chromium alone
	@ENGINE=firefox THOROUGH=1 .venv/bin/python -m pytest tests/acceptance $(PYTEST_ARGS)

.PHONY: check
check: node-there $(INSTALLED) $(TYPES) ## Runs linters, formatters, type checkers and schema checks
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	cd browser && npx --no-install biome check . && npx --no-install tsc --noEmit
	.venv/bin/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	.venv/bin/hadolint control_plane/Dockerfile
	.venv/bin/actionlint -shellcheck= -pyflakes=
	.venv/bin/zizmor --offline --quiet .github/workflows

.PHONY: bench
bench: $(INSTALLED) ## Measures signer, tokens, bucket, control plane and audit, each beside a baseline of the same run
	@.venv/bin/python -m tests.load.bench_presign
	@.venv/bin/python -m tests.load.bench_tokens
	@.venv/bin/python -m tests.load.bench_bucket
	@.venv/bin/python -m tests.load.bench_control_plane
	@.venv/bin/python -m tests.load.bench_audit $(if $(PLANS),--plans)

.PHONY: bench-recorder
bench-recorder: node-there $(INSTALLED) $(PAGE) test-parts ## Measures what MINUTES (10) of recording cost a page in each browser, and uploads
	@.venv/bin/python -m tests.load.bench_recorder --minutes $(or $(MINUTES),10)

.PHONY: bench-downloads
bench-downloads: $(INSTALLED) test-parts ## Measures downloads beside `ffmpeg -c copy`, with MIB= (5120 is 5 GiB) the peak of memory, and listeners
	@.venv/bin/python -m tests.load.bench_downloads --big-mib $(or $(MIB),0)

.PHONY: load
load: $(INSTALLED) ## Lets USERS (20) record for TIME (60s) against the system on HOST (http://localhost:PORT)
	@.venv/bin/locust --headless --only-summary --host "$(or $(HOST),http://localhost:$(PORT))" \
		--users $(or $(USERS),20) --spawn-rate $(or $(USERS),20) --run-time $(or $(TIME),60s) --stop-timeout 60

.PHONY: fuzz
fuzz: $(INSTALLED) ## Asks each call CASES (300) things that a generator makes of the OpenAPI document
	@FUZZ_CASES=$(or $(CASES),300) .venv/bin/python -m pytest tests/integration/test_fuzz.py -q

.PHONY: model
model: $(INSTALLED) test-parts ## Searches all states of the protocol's model: some minutes, up to 6 GB of memory
	@.venv/bin/python -m tests.model.search

.PHONY: campaign-faults
campaign-faults: $(INSTALLED) ## Lives LIVES (300) random lives of chunks in which everything may fail at any step
	@FAULTS=$(or $(LIVES),300) .venv/bin/python -m pytest tests/integration/test_faults.py -q

.PHONY: campaign-kill
campaign-kill: node-there $(INSTALLED) $(PAGE) test-parts ## Kills each browser KILLS (50) times while it records; SEED= repeats one
	@KILLS=$(or $(KILLS),50) SEED=$(SEED) .venv/bin/python -m pytest tests/acceptance/test_kills.py -s -q

.PHONY: campaign-files
campaign-files: node-there $(INSTALLED) $(PAGE) test-parts ## Uploads a file of MIB (1024) mebibytes, with a reload half way
	@CAMPAIGN_FILE_MIB=$(or $(MIB),1024) .venv/bin/python -m pytest tests/acceptance/test_files.py -q -k large_file

.PHONY: format
format: $(INSTALLED) $(NODE_MODULES) ## Formats what formatters format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .
	cd browser && npx --no-install biome check --write .

.PHONY: lock
lock: .cache/uv/bin/uv ## Writes the locks from pyproject.toml; UPGRADE=1 takes newer versions
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra embedded --extra redis --group dev --group build pyproject.toml -o requirements.lock
	$(LOCK) -c requirements.lock --extra redis pyproject.toml -o control_plane/requirements.lock

.PHONY: clean
clean: ## Removes what was installed and built; recordings stay
	rm -rf .venv .cache dist browser/node_modules browser/dist $(TYPES) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.PHONY: reset-data
reset-data: ## Asks, then deletes the recordings, the bucket and the database in .safereel
	@[ -d .safereel ] || { echo "There is no .safereel: nothing to delete."; exit 0; }; \
	du -sh .safereel; printf 'Delete every recording in .safereel for ever? Type yes: '; \
	read -r answer || answer=; \
	if [ "$$answer" = yes ]; then rm -rf .safereel && echo "Deleted."; else echo "Kept."; exit 1; fi

.PHONY: package
package: node-there $(INSTALLED) $(PAGE) ## Makes what is published, in dist: the Python package with the page, and the npm package
	@rm -rf dist
	@mkdir dist
	@.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-input \
		--no-deps --no-build-isolation --wheel-dir dist .
	@cd browser && node package/build.mjs ../.cache/package
	@cd .cache/package && npm pack --silent --pack-destination ../../dist
	@ls dist

.PHONY: build
build: node-there $(INSTALLED) $(PAGE) ## Installs and builds everything, runs nothing

# Steps -------------------------------------------------------------------------------------------------------------

.PHONY: test-parts
test-parts: $(INSTALLED) $(NODE_MODULES)
	@.venv/bin/python -m tests.support.parts

$(VENV):
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
			"Name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv is missing. On Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@echo '$(CURDIR)' >$@

# The lock is complete: `--no-deps` spares pip a quarter of its time for finding that out.
$(PACKAGES): requirements.lock | $(VENV)
	@echo "Installing Python packages into .venv (one to three minutes) …"
	@$(PIP) --no-deps --require-hashes -r requirements.lock
	@touch $@

# The build backend comes from the lock as well, so nothing without a hash is fetched. It asks for the page's folder, which a wheel
# carries and a checkout has only once the page is built.
$(INSTALLED): pyproject.toml $(PACKAGES)
	@mkdir -p browser/dist
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

# `npm ci` begins by removing node_modules, and the stamp with it.
# Before anything that takes minutes.
.PHONY: node-there
node-there:
	@command -v node >/dev/null && command -v npm >/dev/null || { \
		echo "Node.js and npm are missing: install Node 20.19 or newer (22 is good), see https://nodejs.org/en/download" >&2; exit 1; }
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' || { \
		echo "Node 20.19 or newer is needed; this is $$(node -v). See https://nodejs.org/en/download" >&2; exit 1; }

$(NODE_MODULES): browser/package-lock.json browser/package.json | node-there
	@echo "Installing the browser part's packages …"
	@cd browser && npm ci --loglevel=error --no-audit --no-fund --no-update-notifier
	@touch $@

.PHONY: types
types: $(TYPES) ## Writes the browser's types of the API, from its OpenAPI document

$(TYPES): $(INSTALLED) $(NODE_MODULES) $(TYPES_SOURCES)
	@mkdir -p .cache
	@.venv/bin/safereel openapi >.cache/openapi.json
	@cd browser && npm run --silent types >/dev/null
	@touch $@

# vite empties dist first, and the stamp with it.
$(PAGE): $(NODE_MODULES) $(TYPES) $(PAGE_SOURCES)
	@echo "Building the page …"
	@cd browser && npx --no-install vite build --logLevel warn
	@touch $@

.cache/uv/bin/uv:
	@$(PYTHON) -m venv --clear .cache/uv
	@.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
