# Two commands do all the set-up: `make demo` and `make test`. Both create .venv when needed and
# install the versions in constraints.txt; a second run installs nothing.
PYTHON ?= python3
VENV ?= .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test
INSTALLED_BENCH := $(VENV)/.installed-bench

LOOPS := tests/numerics/test_loops.py tests/numerics/test_pairs.py tests/merging/test_ward.py \
	tests/merging/test_nmf.py \
	tests/emission/test_solver.py tests/emission/test_inference.py tests/atoms/training/test_learners.py

# What is quick, for the loop while editing.
FAST := tests/test_imports.py tests/test_validation.py tests/test_decisions.py tests/merging tests/emission \
	tests/numerics/test_mixtures.py tests/numerics/test_pairs.py tests/numerics/test_loops.py

.PHONY: demo test test-fast bounds fuzz lint format docs bench clean

demo: $(INSTALLED)
	$(VENV)/bin/saetm demo --out saetm-demo

# A process for each core; OpenMP's threads, of the libraries that have them, must not spin then.
test: $(INSTALLED_TEST)
	OMP_WAIT_POLICY=PASSIVE $(VENV)/bin/python -m pytest tests integration \
		--numprocesses auto --maxprocesses 4 --dist worksteal

test-fast: $(INSTALLED_TEST)
	OMP_WAIT_POLICY=PASSIVE $(VENV)/bin/python -m pytest $(FAST)

# The compiled loops with numba's bounds checks; what is compiled for that is kept apart.
bounds: $(INSTALLED_TEST)
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(abspath $(VENV))/bounds-cache OMP_WAIT_POLICY=PASSIVE \
		$(VENV)/bin/python -m pytest $(LOOPS)

# Every fuzz test with 20,000 inputs, a thousand damaged files, thirty kills of each kind: hours.
fuzz: $(INSTALLED_TEST)
	SAETM_FUZZ=20000 SAETM_MUTATIONS=1000 SAETM_KILLS=30 \
		$(VENV)/bin/python -m pytest --timeout 14400 \
		tests/fuzz tests/test_lifecycle.py integration/test_kills.py

lint: $(INSTALLED_TEST)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(INSTALLED_TEST)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The site, in site/; links that lead nowhere are errors. `mkdocs serve` shows it while you write.
docs: $(INSTALLED)
	$(PIP) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet

bench: $(INSTALLED_BENCH)
	$(VENV)/bin/python benchmarks/quality.py --corpus 20newsgroups --n-topics 50

clean:
	rm -rf $(VENV) saetm-demo saetm-bench site

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[all]'
	touch $@

# Installed without their pins, beside what they import (the `test` extra): OCTIS asks for a
# scientific stack of 2022, nnsight for a torchvision that must match the build of torch.
$(INSTALLED_TEST): $(INSTALLED)
	$(PIP) --editable '.[test]'
	$(PIP) ./saetm_plugins/atoms/fine
	$(PIP) --no-deps octis==1.14.0 dictionary-learning==0.1.0 nnsight==0.3.7
	touch $@

$(INSTALLED_BENCH): $(INSTALLED_TEST)
	$(PIP) --editable '.[test,bench]'
	$(PIP) --no-deps turftopic==0.28.0 fastopic==1.0.1 topmost==1.0.2
	touch $@
