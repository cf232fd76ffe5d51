# make book · make test · make lab · make check · make notebooks · make bench · make class · make formats · make clean
# Works with GNU Make 3.81 (macOS) and later.

PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
BROWSER ?= optional
THREADS ?= 1
LAB ?=
BIN := .venv/bin
READY := .venv/ready
SITE := _build/html
SOURCES := $(shell find book text src tools -type f -not -name '*.pyc' -not -path '*/.ipynb_checkpoints/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup book site test lab check notebooks bench class formats lock clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /|/' | awk -F'|' '{printf "make %-10s %s\n", $$1, $$2}'

setup: $(READY)  ## make .venv with the pinned packages

$(READY): requirements.txt constraints.txt pyproject.toml tools/environment.py
	@$(PYTHON) tools/environment.py

book: site  ## build the book and serve it on 127.0.0.1 (SERVE=0: build only; PORT=8000)
	@if [ "$(SERVE)" != 0 ]; then $(BIN)/python tools/serve.py $(SITE) --port $(PORT); fi

site: $(SITE)/index.html

$(SITE)/index.html: $(READY) _config.yml $(SOURCES)
	@$(BIN)/python tools/site.py

test: site  ## every test (BROWSER=required: fail without one; THREADS=2: of each process)
	OMP_NUM_THREADS=$(THREADS) MKL_NUM_THREADS=$(THREADS) OPENBLAS_NUM_THREADS=$(THREADS) \
	$(BIN)/pytest -n 2 --dist loadfile --nbval --nbval-current-env --nbval-cell-timeout 300 --durations 12 --browser $(BROWSER) tests src book

lab: $(READY)  ## open the notebooks in JupyterLab (LAB=--no-browser: its own options)
	$(BIN)/jupyter lab --notebook-dir book $(LAB)

check: $(READY)  ## lint, types, text and notebooks in step (fast)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/python tools/notebooks.py check
	$(BIN)/python tools/ledger.py check

notebooks: $(READY)  ## execute text/ into book/, and write the ledger of equations (ONLY=name for one)
	$(BIN)/python tools/notebooks.py run $(ONLY)
	$(BIN)/python tools/ledger.py write

bench: $(READY)  ## time this package beside its peers, into benchmarks/results/ (ONLY=room for one)
	$(BIN)/companion bench $(ONLY)

class: $(READY)  ## exercises for a class, without solutions, and nbgrader's course folder: _build/class
	@$(BIN)/python tools/classroom.py

formats: site  ## the book to take along, with checksums: _build/formats (ONLY=site|notebooks|epub|pdf)
	@$(BIN)/python tools/formats.py $(ONLY)

lock: $(READY)  ## resolve requirements.txt anew into constraints.txt
	@$(BIN)/python tools/environment.py --lock

clean:  ## remove everything that was built, and .venv
	rm -rf .venv _build src/companion.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
