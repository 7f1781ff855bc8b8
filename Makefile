# Every target that needs the environment makes it first; one .venv serves them all.

# The first Python on the path that is new enough, or the one you name: make PYTHON=python3.12 ...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/stamp
ARGS ?=

# The stamp is written last and holds the checkout's path: without it, in a moved checkout, or with
# its Python gone, the environment is made anew.
$(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] && $(BIN)/python -c '' 2>/dev/null \
	|| rm -f $(STAMP))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-oldest test-vllm test-engines test-loaders test-stores check format fuzz bench bench-static bench-vllm learns learns-smoke learns-eval sdist clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make the environment in .venv (the targets below do it by themselves)

demo: $(STAMP) ## Draw small data sets, build, caption, verify, show, train in demo_output/
	$(BIN)/regionforge demo $(ARGS)

test: $(STAMP) ## Run the tests on all cores (ARGS="-k coco" picks some)
	@# What is compiled is kept: the workers, and every process that a test starts, want the same.
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest \
		--numprocesses=auto --maxprocesses=8 --dist=worksteal $(ARGS)

test-oldest: $(STAMP) ## Run the models' tests with the oldest PyTorch and transformers (once: 6 GB)
	oldest="$$($(BIN)/python -m tests.oldest)" && \
		"$$oldest/bin/python" -m pytest tests/model tests/train $(ARGS)

test-vllm: $(STAMP) ## Caption and serve with a real vLLM and tiny models (in ~/.cache, once: 7 GB)
	vllm="$$($(BIN)/python -m tests.vllm.environment)" && REGIONFORGE_VLLM="$$vllm" \
		$(BIN)/python -m pytest tests/vllm/check_serve.py tests/vllm/check_options.py tests/vllm/check_engine.py $(ARGS)

test-engines: $(STAMP) ## Build on Beam's job service and on Prism, where it is (in ~/.cache, once: 400 MB)
	$(BIN)/python -m tests.engines.compare
	@# The checks wait more than they work.
	stores="$$($(BIN)/python -m tests.stores)" && "$$stores/bin/python" -m pytest \
		--numprocesses=2 --dist=loadfile tests/engines/check_*.py $(ARGS)

test-loaders: $(STAMP) ## Load exports with ms-swift, LLaMA-Factory and others (made in ~/.cache, once: 200 MB)
	loaders="$$($(BIN)/python -m tests.loaders.environment)" && \
		"$$loaders/bin/python" -m pytest tests/loaders/check_loaders.py $(ARGS)

test-stores: $(STAMP) ## Build into and out of servers of object stores (made in ~/.cache, once: 400 MB)
	stores="$$($(BIN)/python -m tests.stores)" && PATH="$$stores/node_modules/.bin:$$PATH" \
		"$$stores/bin/python" -m pytest tests/pipelines/storage/test_stores.py $(ARGS)

check: $(STAMP) ## Check format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Rewrite the code in the house format
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

fuzz: $(STAMP) ## Damage inputs by the thousand, and see what becomes of them (half an hour)
	$(BIN)/python -m tests.fuzz $(ARGS)

bench: $(STAMP) ## Measure builds against plain alternatives
	$(BIN)/python -m bench.run $(ARGS)

bench-static: $(STAMP) ## Prove on the CPU what makes training fast on a GPU (some minutes)
	$(BIN)/python -m bench.static $(ARGS)

bench-vllm: $(STAMP) ## Measure captioning beside vLLM's own load generator (needs the same)
	vllm="$$($(BIN)/python -m tests.vllm.environment)" && \
		$(BIN)/python -m bench.against_vllm "$$vllm" $(ARGS)

learns: $(STAMP) ## Train tiny models from nothing on drawn pictures, and judge their answers
	$(BIN)/python -m bench.learns --shuffled regiongpt $(ARGS)

learns-smoke: $(STAMP) ## The same of RegionGPT alone, without the control
	$(BIN)/python -m bench.learns regiongpt $(ARGS)

learns-eval: $(STAMP) ## Train a tiny model on all tasks at once, and evaluate each of them
	$(BIN)/python -m bench.learns_eval $(ARGS)

sdist: $(STAMP) ## Build dist/*.tar.gz, install it elsewhere and run a build from there
	$(BIN)/python tests/sdist_check.py

clean: ## Remove everything that make made in here, .venv too
	rm -rf .venv build dist demo_output bench/data *.egg-info
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "RegionForge needs Python 3.11 or newer, and '$(or $(PYTHON),python3)' is not." \
			"Name one that is: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
		echo "This Python cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Installing everything into .venv (some minutes, once; PyTorch takes 5 GB)"
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		--no-build-isolation --editable '.[clip,demo,dev,serve,train]'
	@echo "$(CURDIR)" > $@
