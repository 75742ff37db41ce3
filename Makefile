# make demo    set up, then run the demonstration
# make test    set up, then lint, check types and run the tests
# make models  set up, then fetch the core models into build/models
# make lint    only the linters and the type checker
# make format  let ruff rewrite the sources
# make clean   remove what was made, except the environment and fetched models
#
# VENV=folder chooses the environment, PYTHON=program the Python that it is made with.
#
# The installation is editable in setuptools' strict mode: a tree of links, in build/, made when installing. A changed
# file is seen at once, but a new, moved or deleted one only after installing again; so build/files lists our files,
# and when the list changes (or pyproject.toml does) the next make installs again. When not using make, run
#     .venv/bin/pip install -e '.[test]' --config-settings editable_mode=strict
.POSIX:

VENV = .venv
PYTHON =
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

demo: compiler $(VENV)/.installed
	$(BIN)/isagoge demo

test: compiler lint
	$(BIN)/pytest -n 2

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p isagoge
	$(BIN)/mypy tests

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

models: $(VENV)/.installed
	$(BIN)/python -m isagoge.verify.models.collect --tier core --into build/models

compiler:
	@command -v cc >/dev/null 2>&1 || { \
	  echo "make: no C compiler: a receiver is written in C; install one that is called cc" >&2; exit 2; }

$(VENV)/.made:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$python"; \
	    "$$python" -m venv "$(VENV)" && touch $@; exit; \
	  fi; \
	done; \
	echo "make: no Python 3.11 or newer found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 2

$(VENV)/.installed: $(VENV)/.made build/files pyproject.toml
	$(PIP) install -e . --config-settings editable_mode=strict
	@touch $@

# What is installed for the tests serves the demonstration too.
$(VENV)/.installed-test: $(VENV)/.made build/files pyproject.toml
	$(PIP) install -e '.[test]' --config-settings editable_mode=strict
	@touch $(VENV)/.installed $@

build/files: always
	@mkdir -p build
	@find src spec primer emitter verify -name __pycache__ -prune -o -name '*.egg-info' -prune -o -type f -print \
	  | sort >build/files.new
	@if cmp -s build/files.new $@; then rm build/files.new; else mv build/files.new $@; fi

always:

clean:
	rm -rf build/__editable__.* build/lib build/bdist.* build/files build/.mypy_cache build/.pytest_cache
	rm -rf isagoge.egg-info src/isagoge.egg-info dist .ruff_cache .hypothesis
	rm -f $(VENV)/.installed $(VENV)/.installed-test
	find src spec primer emitter verify tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: demo test lint format models compiler always clean
