# make run        set up (the first time: some minutes, 1 to 5 GB) and start the dashboard
# make test       the same, with what the tests need; then lint, format check and tests
# make bench      measure speed against other tools (see tests/benchmarks)
# make replicate  measure every finding of the papers on the models at hand
# make clean      remove the environment and what was built
#
# The plain commands under `make run`, for doing it by hand:
#   python3 -m venv .venv
#   .venv/bin/python -m pip install -c constraints.txt torch
#   .venv/bin/python -m pip install -c constraints.txt -e .
#   .venv/bin/penultimate
# and under `make test`:
#   .venv/bin/python -m pip install -c constraints.txt -e '.[test]'
#   .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/python -m pytest
# torch goes first, alone, so that pip takes the build that fits this machine. For another build,
# install it into .venv by hand; its version must be the one in constraints.txt.
#
# PYTHON=/path/to/python3.12 chooses the interpreter; ARGS="..." is handed to the command.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test bench replicate clean chromium

VENV := .venv
PY := $(VENV)/bin/python
ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c '$(ENOUGH)' >/dev/null 2>&1 && echo "$$p" && break; done)

# pip's output, cut to one short line for each package, so that a person sees that it is alive;
# pip's errors and warnings go past it.
# pipefail is set in the recipes too: make 3.81, which macOS has, does not know .SHELLFLAGS.
PIP := set -o pipefail; $(PY) -m pip install --disable-pip-version-check --no-input -c constraints.txt
SHORTEN := awk '/^Collecting/ { sub(/[<>=!~;[].*/, "", $$2); print "  " $$2; fflush() } \
	/^ *Downloading.*[MG]B\)/ { sub(/.*\//, "", $$2); print "  " $$2, $$3, $$4; fflush() } \
	/^Installing collected/ { print "  unpacking"; fflush() }'

run: $(VENV)/installed-run
	@$(VENV)/bin/penultimate $(ARGS)

test: $(VENV)/installed-test chromium
	@echo "Lint and format:"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@echo "Tests:"
	@$(PY) -m pytest $(ARGS)

bench: $(VENV)/installed-benchmark
	@$(PY) tests/benchmarks $(ARGS)

replicate: $(VENV)/installed-run
	@$(VENV)/bin/penultimate replicate $(ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find app.py backend pages tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(ENOUGH)'; then \
		echo "Penultimate needs Python 3.11 or newer; install it, or name one: make PYTHON=/path/to/python3.12 ..." >&2; \
		exit 1; fi
	@echo "Making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/installed-torch: constraints.txt | $(PY)
	@echo "Installing torch, the largest part (200 MB to 3 GB)"
	@$(PIP) torch | $(SHORTEN)
	@touch $@

$(VENV)/installed-run: pyproject.toml constraints.txt $(VENV)/installed-torch
	@echo "Installing the other packages"
	@$(PIP) -e . | $(SHORTEN)
	@touch $@

# A newer installed-test or installed-benchmark contains all that installed-run has.
$(VENV)/installed-%: pyproject.toml constraints.txt $(VENV)/installed-torch
	@echo "Installing the packages for: $*"
	@$(PIP) -e '.[$*]' | $(SHORTEN)
	@touch $@ $(VENV)/installed-run

# The browser tests and PDF export drive Chromium or Chrome.
chromium:
	@mac="/Applications/Google Chrome.app"; \
	for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		if command -v $$name >/dev/null; then exit 0; fi; done; \
	if [ -e "$$mac" ] || [ -e "/Applications/Chromium.app" ]; then exit 0; fi; \
	sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	echo "No Chromium or Chrome found: installing Chromium for the browser tests"; \
	if command -v apt-get >/dev/null; then \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	elif command -v dnf >/dev/null; then $$sudo dnf install -y -q chromium; \
	elif command -v brew >/dev/null; then brew install --cask --quiet chromium; \
	else echo "Install Chromium or Google Chrome by hand, then run make test again." >&2; exit 1; fi
