# heartbeat-tui: `make run` and `make test` do all the set-up there is. Everything goes into .venv here; nothing is installed elsewhere.

PYTHON ?= python3
ARGS ?= --start
VENV := .venv
BIN := $(VENV)/bin
WHEEL := build/wheel
# The Python of test-py310 and its like: PYTHON310=… where it is named, else pyenv's, else the one on the path.
python = $(or $(PYTHON$(1)),$(firstword $(wildcard $(HOME)/.pyenv/versions/$(1:3%=3.%).*/bin/python) python$(1:3%=3.%)))
PIP := -m pip --disable-pip-version-check install -q
# The tests wait for one another's processes more than they compute, so one more than there are processors. Each worker takes its tests in
# their order, so that what a file or a folder shares is made about once, and one that has none left takes some from the end of another's.
# The tests start our program often: without its bytecode kept, each start compiles all of it again.
WORKERS ?= $(shell "$(PYTHON)" -c 'import os; print(len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else os.cpu_count())')
PYTEST = -m pytest -n $(WORKERS) --dist worksteal
unexport PYTHONDONTWRITEBYTECODE

# By the chips' own numbers: Google's network cards and disks share the vendor's.
TPU := $(shell PYTHONPATH=core "$(PYTHON)" -c 'from heartbeat_core.benchmark.tpu_chips import hidden_tpus, scan_tpus; print("yes" if scan_tpus() or hidden_tpus() else "")' 2> /dev/null)
ifeq ($(TPU),yes)
EXTRA := tpu
PINS := constraints-tpu.txt
NEWEST := 12
WHAT := torch 2.9 and torch_xla 2.9 for the TPU (about 4.3 GB to download)
else
EXTRA := torch
PINS := constraints.txt
NEWEST := 13
WHAT := torch 2.13 (about 0.2 GB to download for a CPU build and on macOS, 2.8 GB for PyPI's build on Linux)
endif
WHOLE := .[$(EXTRA),demo,plots]
DEVELOPED := .[$(EXTRA),demo,plots,dev]
WITHOUT_TORCH := .[demo,plots,dev]

# Whether the virtual environment $(1) was made in this folder, of a Python that is still there. One that is not is made anew.
whole = { grep -qsF "$$(pwd -P)/$(1)" $(1)/bin/activate && $(1)/bin/python -c 'import pip' 2> /dev/null; }
$(if $(wildcard $(VENV)/installed),$(shell $(call whole,$(VENV)) || rm -f $(VENV)/installed*))
OFFLINE := NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Network is unreachable

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test lint test-xla test-py310 test-py311 test-py312 test-py313 test-wheel fuzz bench pictures clean
.SECONDARY:

help: ## show this
	@grep -E '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | awk -F ':.*## ' '{ printf "make %-12s %s\n", $$1, $$2 }'

run: $(VENV)/installed ## the heartbeat, on the TPU where there is one; make run ARGS="bench --json" runs any command
	@$(BIN)/heartbeat-tui $(ARGS)

test: $(VENV)/installed-dev ## the tests
	$(BIN)/python $(PYTEST) --ignore=tests/xla $(PYTEST_ARGS)

lint: $(VENV)/installed-dev ## ruff, mypy and import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test-xla: $(VENV)/installed-dev ## the tests that need torch_xla; builds its environment in your cache first (4.3 GB to download)
	$(BIN)/heartbeat-tui backend install xla --yes
	$(BIN)/python -m pytest tests/xla $(PYTEST_ARGS)

# No pattern may be phony, and help lists but the targets written out.
test-py310: .venv-py310/installed ## the tests that need no torch, under Python 3.10; test-py311, -py312 and -py313 as well
test-py310 test-py311 test-py312 test-py313: test-py%: .venv-py%/installed
	.venv-py$*/bin/python $(PYTEST) -m "not torch" --ignore=tests/xla $(PYTEST_ARGS)

test-wheel: $(VENV)/installed-dev ## whether the wheel, installed outside of this folder, runs
	rm -rf build .venv-wheel
	$(BIN)/python -m pip --disable-pip-version-check wheel -q --no-deps -w $(WHEEL) .
	"$(PYTHON)" -m venv .venv-wheel
	.venv-wheel/bin/python $(PIP) "$$(echo $(WHEEL)/*.whl)[demo]" -c constraints.txt
	$(BIN)/python tests/wheel/check.py "$(CURDIR)/.venv-wheel/bin/heartbeat-tui"

fuzz: $(VENV)/installed-dev ## the readers of recordings, settings, error texts and Google's answers, with 10,000 random inputs each
	$(BIN)/python $(PYTEST) -m fuzz --hypothesis-profile=fuzz -o timeout=3600 tests/core $(PYTEST_ARGS)

bench: $(VENV)/installed-dev ## the figures of benchmarks/README.md
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

pictures: $(VENV)/installed-dev ## the pictures of the README, from a real run
	$(BIN)/python docs/pictures.py

clean: ## delete what make and the tests have made here
	rm -rf $(VENV) .venv-py* .venv-wheel build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache snapshot_report.html
	find . -name .git -prune -o -name __pycache__ -prune -exec rm -rf {} +
	rm -rf core/*.egg-info tui/*.egg-info *.egg-info

$(VENV)/installed: pyproject.toml $(PINS)
	$(call environment,$(PYTHON),$(VENV))
	@echo "Installing heartbeat-tui with $(WHAT) into $(VENV) …"
	$(call install,$(VENV),$(WHOLE),$(PINS))
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing the tools of development into $(VENV) (about 33 MB) …"
	$(call install,$(VENV),$(DEVELOPED),$(PINS))
	@touch $@

.venv-py%/installed: pyproject.toml constraints.txt
	$(call environment,$(call python,$*),.venv-py$*)
	@echo "Installing heartbeat-tui without torch into .venv-py$* (about 73 MB) …"
	$(call install,.venv-py$*,$(WITHOUT_TORCH),constraints.txt)
	@touch $@

# Make the virtual environment $(2) from the Python $(1) unless it is whole and was made here, or say what is missing.
define environment
	@command -v "$(1)" > /dev/null || { echo "There is no $(1). On Debian and Ubuntu: sudo apt-get install python3 python3-venv"; exit 1; } >&2
	@"$(1)" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, $(NEWEST)))' || { \
		echo "$$("$(1)" --version) is not one of Python 3.10 to 3.$(NEWEST). Install one of them and name it: make PYTHON=python3.$(NEWEST)"; \
		exit 1; } >&2
	@"$(1)" -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "$(1) cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; } >&2
	@[ -w . ] || { echo "$$(pwd) cannot be written: copy it into a folder of your own, and run make there."; exit 1; } >&2
	@$(call whole,$(2)) || "$(1)" -m venv --clear $(2)
endef

# Install $(2) into $(1), pinned by $(3); without a network one line says so. pip would try each package six times: the index is asked first.
define install
	@offline() { grep -qE "$(OFFLINE)" $(1)/pip.log && echo \
		"The package index cannot be reached: connect to a network, or name a proxy in HTTPS_PROXY, and run make again." >&2; }; \
	$(1)/bin/python -m pip index versions --retries 1 --timeout 10 pip > /dev/null 2> $(1)/pip.log || ! offline || exit 1; \
	$(1)/bin/python $(PIP) -e "$(2)" -c $(3) 2> $(1)/pip.log || { offline || cat $(1)/pip.log >&2; exit 1; }
endef
