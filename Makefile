# `make help` lists the targets. Every target makes the environment that it needs.

PYTHON ?=
QUICK  ?=
VENV   ?= .venv
TORCH  := torch==2.13.0
DASK   := distributed==2026.8.0
PEERS  := $(TORCH) jax==0.10.2 optax==0.2.8
BROWSER := playwright==1.65.2 axe-playwright-python==0.1.8
DOCS   := mkdocs==1.6.1 mkdocstrings==1.0.8 mkdocstrings-python==2.0.11
UV     := uv==0.13.9

pythons := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)
pip     := -m pip --quiet --disable-pip-version-check --no-input
scenarios = $(basename $(notdir $(filter-out %/__init__.py,$(wildcard scenarios/*.py))))
quick   := $(if $(filter-out 0 no false,$(QUICK)),--quick)

.DEFAULT_GOAL := help
.PHONY: help setup figures gallery pilots test test-oracle test-bounds test-dask test-browser test-wheel test-latest lint format docs bench instructions clean relock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "PYTHON=/path/to/python3.12 picks the interpreter for an environment that is yet to be made."

setup: $(VENV)/.stamp ## make the environment .venv, with .venv/bin/simdl

figures: setup ## train what is not yet stored, draw every figure into figures/ (QUICK=1: the small version)
	$(VENV)/bin/simdl figures $(quick)

gallery: setup ## renew figures/gallery, the README's pictures, from a run at default settings
	$(VENV)/bin/simdl figures
	$(VENV)/bin/python figures/gallery/renew.py

pilots: setup ## renew scenarios/*.pilot.toml, each claim's power on seeds of pilots (NAME=softmax: one)
	$(VENV)/bin/simdl run $(or $(NAME),$(scenarios)) --pilot --out figures
	cp figures/pilots/*.pilot.toml scenarios/

test: setup ## run the tests
	$(VENV)/bin/python -m pytest

test-oracle: $(VENV)-oracle/.stamp ## compare gradients and optimizers with PyTorch, in .venv-oracle
	$(VENV)-oracle/bin/python -m pytest tests/oracle

test-bounds: setup ## run kernels, layers and products with bounds checks
	NUMBA_BOUNDSCHECK=1 $(VENV)/bin/python -m pytest -k "not float32" tests/test_lanes.py::test_an_index_too_far_is_found \
	  tests/test_kernels.py tests/test_kernels_flat.py tests/test_stopping_rules.py \
	  tests/test_layers.py::test_golden tests/test_products.py

test-dask: $(VENV)-dask/.stamp ## run sweeps on Dask's processes, in .venv-dask
	$(VENV)-dask/bin/python -m pytest -n 0 tests/cluster

test-browser: $(VENV)-browser/.stamp ## look at the report in a headless Chromium, in .venv-browser
	$(VENV)-browser/bin/python -m pytest -n 0 tests/browser

# From another folder and by pytest's own command: Python would find the checkout first, else.
test-wheel: $(VENV)-wheel/.stamp ## run the built wheel and the README's blocks in an environment without the sources
	cd / && LANG=C LC_ALL=C $(abspath $(VENV)-wheel)/bin/pytest -n 0 -p no:cacheprovider --rootdir $(CURDIR) \
	  -c $(CURDIR)/pyproject.toml $(CURDIR)/tests/wheel $(CURDIR)/tests/test_readme.py

test-latest: $(VENV)-latest/bin/python ## run the tests on the newest versions of everything, in .venv-latest
	$(VENV)-latest/bin/python $(pip) install --upgrade --upgrade-strategy eager pip -e '.[dev]'
	$(VENV)-latest/bin/python -m pytest

lint: setup ## formatting, rules, types, floors
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

format: setup ## format the sources, mend what ruff can mend
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: $(VENV)-docs/.stamp ## build the documentation into build/docs, in .venv-docs
	$(VENV)-docs/bin/mkdocs build --quiet --config-file docs/mkdocs.yml
	@echo "build/docs/index.html"

bench: $(VENV)-bench/.stamp ## time training steps against PyTorch, JAX, scikit-learn, many seeds, sweeps, in .venv-bench
	$(VENV)-bench/bin/python benchmarks/waiting.py
	$(VENV)-bench/bin/python benchmarks/step_time.py
	$(VENV)-bench/bin/python benchmarks/mathematics.py
	$(VENV)-bench/bin/python benchmarks/deep_sigmoid.py
	$(VENV)-bench/bin/python benchmarks/peers.py
	$(VENV)-bench/bin/python benchmarks/sweeps.py
	$(VENV)-bench/bin/python benchmarks/cost_model.py
	$(VENV)-bench/bin/python benchmarks/table.py

instructions: $(VENV)/.stamp ## count the instructions of training steps (valgrind), and say what grew since they were kept
	$(VENV)/bin/python benchmarks/instructions.py

clean: ## remove all that make has made: environments, figures, stored results, caches
	rm -rf $(VENV) $(VENV)-oracle $(VENV)-dask $(VENV)-browser $(VENV)-wheel $(VENV)-latest $(VENV)-docs $(VENV)-bench $(VENV)-lock
	rm -rf build dist simdl.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find figures -mindepth 1 -maxdepth 1 ! -name gallery -exec rm -rf {} +
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# uv, because it writes one file for every platform and Python that we run on, with markers, and
# because it reads none of pip's settings: a mirror or a local index never reaches the lock.
relock: $(VENV)-lock/bin/python ## renew requirements.lock: newest versions, with hashes
	$(VENV)-lock/bin/python $(pip) install $(UV)
	env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	  $(VENV)-lock/bin/uv pip compile pyproject.toml --output-file requirements.lock --extra dev \
	  --universal --python-version 3.11 --fork-strategy fewest --generate-hashes --upgrade \
	  --no-config --quiet --custom-compile-command 'make relock'

# --- environments --------------------------------------------------------------------------------

# Locked packages first, then what one environment adds, then the project itself: without build
# isolation, since the lock holds its build backend too.
define install
@echo "Installing into $(@D): a minute or two, once." >&2
@$(@D)/bin/python $(pip) install --require-hashes -r requirements.lock
@$(if $(1),$(@D)/bin/python $(pip) install $(1))
@$(@D)/bin/python $(pip) install --no-deps --no-build-isolation -e .
@touch $@
endef

$(VENV)/.stamp: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(call install)

$(VENV)-oracle/.stamp: pyproject.toml requirements.lock | $(VENV)-oracle/bin/python
	$(call install,$(TORCH))

$(VENV)-dask/.stamp: pyproject.toml requirements.lock | $(VENV)-dask/bin/python
	$(call install,$(DASK))

$(VENV)-browser/.stamp: pyproject.toml requirements.lock | $(VENV)-browser/bin/python
	$(call install,$(BROWSER))

$(VENV)-wheel/.stamp: pyproject.toml requirements.lock $(shell find simdl scenarios -name '*.py') | $(VENV)-wheel/bin/python
	@echo "Installing into $(@D): a minute or two, once." >&2
	@rm -rf $(@D)/dist
	@$(@D)/bin/python $(pip) install --require-hashes -r requirements.lock
	@$(@D)/bin/python -m build --wheel --no-isolation --outdir $(@D)/dist . > $(@D)/build.log
	@$(@D)/bin/python $(pip) install --no-deps --force-reinstall $(@D)/dist/*.whl
	@touch $@

$(VENV)-docs/.stamp: pyproject.toml requirements.lock | $(VENV)-docs/bin/python
	$(call install,$(DOCS))

$(VENV)-bench/.stamp: pyproject.toml requirements.lock | $(VENV)-bench/bin/python
	$(call install,$(PEERS))

supported := import sys; v = sys.version_info; print("%d.%d.%d" % v[:3]); \
             sys.exit(not (3, 11) <= v[:2] < (3, 15))

%/bin/python:
	@seen= bare=; \
	for python in $(pythons); do \
	  if ! version=$$("$$python" -c '$(supported)' 2>/dev/null); then \
	    seen="$$seen $$python$${version:+ ($$version)},"; \
	  elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    bare="$$bare $$python ($$version),"; \
	  else \
	    "$$python" -m venv --clear $* || { rm -rf $*; exit 1; }; \
	    exit 0; \
	  fi; \
	done; \
	if [ -n "$$bare" ]; then \
	  echo "simdl: no venv module in$${bare%,}: install it (Debian: apt install python3-venv)" \
	       "or name another Python: make PYTHON=/path/to/python" >&2; \
	else \
	  echo "simdl: needs Python 3.11 to 3.14, which is none of$${seen%,}:" \
	       "install one or name it: make PYTHON=/path/to/python" >&2; \
	fi; \
	exit 1
