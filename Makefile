# Everything here sets itself up; PYTHON may name another interpreter (3.10 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NODE := $(shell command -v node 2>/dev/null)
# without compiled modules every process that we start would compile them again
unexport PYTHONDONTWRITEBYTECODE
# the tests and the demo never touch the user's own settings, tokens or servers
export PYTHON_KEYRING_BACKEND ?= keyring.backends.fail.Keyring

.PHONY: setup demo test lint unit notebooks typescript browser labextension lab serve bench wheel clean

setup: $(VENV)/ready

$(VENV)/ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip --quiet install --disable-pip-version-check -c constraints.txt uv
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -c constraints.txt -e '.[all,test]'
	touch $@

demo: setup
	$(BIN)/python notebooks/demo.py

test: setup lint $(if $(NODE),typescript) unit notebooks $(if $(NODE),browser)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What failed with both cores busy is run once more, alone: a test that needs a quiet machine
# is told from one that found a fault. The second run has to pass.
unit: setup
	$(BIN)/pytest -q -n 2 --dist loadfile --ignore=tests/browser tests \
	  || $(BIN)/pytest -q --last-failed --last-failed-no-failures none --ignore=tests/browser tests

notebooks: setup
	$(BIN)/pytest -q --nbval-lax --nbval-cell-timeout=300 notebooks

labextension: setup
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" sh -c 'jlpm install --immutable && jlpm build:prod'

typescript: labextension
	cd labextension && PATH="$(CURDIR)/$(BIN):$$PATH" sh -c 'jlpm check && jlpm test'

browser: setup labextension
	$(BIN)/pytest -q -n 2 --dist loadfile tests/browser || $(BIN)/pytest -q --last-failed --last-failed-no-failures none tests/browser

lab: setup $(if $(NODE),labextension)
	SKIP_JUPYTER_BUILDER=1 $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --reinstall-package deploy_magics -e .
	$(BIN)/jupyter lab --notebook-dir=notebooks notebooks/01_quickstart.ipynb

serve: setup
	$(BIN)/deploy-magics serve

bench: setup
	$(BIN)/python -m benchmarks

wheel: setup
	$(BIN)/uv build --wheel --python $(BIN)/python

clean:
	rm -rf dist build labextension/lib labextension/node_modules deploy_magics/labextension
