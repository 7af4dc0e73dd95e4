# make demo    sets everything up and runs the main job
# make test    sets everything up, checks format, types and lint, builds the docs, and passes the tests
# make docs    the documentation as pages, build/docs/index.html

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint style types imports docs clean

demo: export FEDREC_KEYS = runs/demo-keys
demo: $(VENV)/ready
	$(BIN)/fedrec simulate --strategy pplr --rounds 3 --out runs/demo --replace
	@echo "The demo asks, approves and signs with one key without a passphrase, in $(FEDREC_KEYS), so that it asks you nothing."
	@echo "On real data each operator has a key of their own, under a passphrase, and one asks and another approves: see README."
	$(BIN)/fedrec forget keys --run runs/demo --create demo --no-passphrase
	$(BIN)/fedrec forget submit --run runs/demo --user user-0042
	$(BIN)/fedrec forget approve --run runs/demo
	$(BIN)/fedrec forget run --run runs/demo
	$(BIN)/fedrec forget keys --run runs/demo --export demo > $(FEDREC_KEYS)/demo.pem
	$(BIN)/fedrec forget verify runs/demo/erasure/certificates/*.json --bundle runs/demo/erasure/bundles/*/ --key $(FEDREC_KEYS)/demo.pem

test: $(VENV)/ready
	$(MAKE) -j 2 --output-sync types style imports docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 30

lint: style types imports

style: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/ready
	$(BIN)/mypy

imports: $(VENV)/ready
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/ready
	$(BIN)/python -m mkdocs build -q

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[simulation,test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
