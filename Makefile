# Every target sets up what it needs; a second call does no set-up again.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready
DEMO_READY := .venv/.ready-for-demo

.PHONY: demo test test-fast lint format bench docs check clean

demo: $(DEMO_READY)
	$(BIN)/barstack demo

test: $(READY)
	$(BIN)/pytest -n 2 --dist loadfile

test-fast: $(READY)
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(READY)
	@for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint test docs bench

clean:
	rm -rf .venv site .mypy_cache .ruff_cache .pytest_cache

# A stamp comes last, so an interrupted set-up begins again. What work on barstack itself needs holds
# what the demo needs.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs]'
	touch $@ $(DEMO_READY)

$(DEMO_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	touch $@
