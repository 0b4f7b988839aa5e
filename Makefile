# Two commands do everything on a fresh Debian, Ubuntu or macOS machine:
#     make demo     set up, open the viewer and synthesize (no screen: saves demo.png)
#     make test     set up and run the tests
# Others: setup, test-slicer, test-slow, lint, bench, bench-quality, bench-refine, bench-tumor, bench-nuclei, bench-copies, studies,
# starters, pictures-slicer, clean. Works with the make 3.81 of macOS.

SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The core of 3D Slicer for tests/slicer_extension, in an environment of its own: it pins other versions than ours.
SLICER_VENV ?= .venv-slicer
SLICER_STAMP := $(SLICER_VENV)/.installed
# Slicer's slice views for the pictures of its tutorial: they want another version of the core than the tests.
VIEWS_VENV ?= .venv-slice-views
VIEWS_STAMP := $(VIEWS_VENV)/.installed
DATA ?= $(or $(MEDSYNTH_DATA),../shared/data)
# Where pip finds torch; empty means PyPI. The CPU wheels of PyTorch are gigabytes smaller on Linux:
#     make setup TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=

PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet -c constraints.txt
PYTEST := QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q
PYTEST_GUI := sh scripts/with_display.sh $(BIN)/python -m pytest -q

.PHONY: setup demo test test-slicer test-slow lint bench bench-quality bench-refine bench-tumor bench-nuclei bench-copies studies starters pictures-slicer clean

setup: $(STAMP)

$(STAMP): setup.cfg constraints.txt scripts/system_libraries.sh
	@sh scripts/system_libraries.sh
	@test -x $(BIN)/pip || sh scripts/make_venv.sh $(VENV)
	@echo "Installing MedSynth into $(VENV) (minutes, the first time only) ..."
	@test -z "$(TORCH_INDEX)" || $(PIP) --no-deps --index-url $(TORCH_INDEX) torch
	@$(PIP) -e ".[dev]"
	@touch $@

demo: setup
	@sh scripts/demo.sh $(BIN)/msynth

# All groups run on two processes, each with a screen of its own where a viewer is tested.
# Each group runs whatever the one before gave, so that one call tells everything.
test: setup
	@status=0; \
	$(PYTEST_GUI) -n 2 --dist worksteal -m "gui and not slow and not gpu" || status=1; \
	$(PYTEST) -n 2 -m "not gui and not slow and not gpu" || status=1; \
	if $(MAKE) --no-print-directory $(SLICER_STAMP); then $(MAKE) --no-print-directory test-slicer || status=1; \
	else echo "Slicer's core cannot be installed here (wheels exist for Python 3.10 to 3.13): tests/slicer_extension was left out."; fi; \
	exit $$status

# Against Slicer's real core, without the application; the service of these tests runs in $(VENV), as it does for a user.
test-slicer: setup $(SLICER_STAMP)
	@QT_QPA_PLATFORM=offscreen MEDSYNTH_TEST_PYTHON=$(abspath $(BIN)/python) $(SLICER_VENV)/bin/python -m pytest -q -n 2 --dist worksteal tests/slicer_extension $(TESTS)

$(SLICER_STAMP): slicer_extension/test-requirements.txt
	@test -x $(SLICER_VENV)/bin/pip || sh scripts/make_venv.sh $(SLICER_VENV)
	@echo "Installing Slicer's core into $(SLICER_VENV) (a minute, the first time only) ..."
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(SLICER_VENV)/bin/python -m pip install --quiet -r slicer_extension/test-requirements.txt
	@touch $@

test-slow: setup $(SLICER_STAMP)
	@$(PYTEST_GUI) -m slow --timeout 1800
	@$(MAKE) --no-print-directory test-slicer TESTS="-m slow --timeout 1800"

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/npe2 validate napari_medsynth/napari.yaml

bench: setup
	@$(BIN)/python -m benchmarks.speed $(BENCH)
	@sh scripts/with_display.sh $(BIN)/python -m benchmarks.click_to_pixels

bench-quality: setup
	@$(BIN)/python -m benchmarks.quality --data $(DATA) $(BENCH)

bench-refine: setup
	@$(BIN)/python -m benchmarks.refine --data $(DATA) $(BENCH)

bench-tumor: setup
	@$(BIN)/python -m benchmarks.tumor --data $(DATA) $(BENCH)

bench-copies: setup
	@$(BIN)/python -m benchmarks.copies --data $(DATA) $(BENCH)

bench-nuclei: setup
	@$(BIN)/python -m benchmarks.nuclei --data $(DATA) $(BENCH)

# The downstream tables of docs/results.md: hours on a CPU. STUDY="--arms classic,x1 --workers 4" for other arms, or more processes.
STUDIES ?= polyp brain-slice nuclei-he lgg-flair
studies: setup
	@for name in $(STUDIES); do sh scripts/study.sh $(BIN)/msynth $$name $(DATA) $(STUDY) || exit 1; done

# Retrains the models that ship, on CPU or GPU; of those that synthesize a teacher, then its distillation. Run again to go on.
# TRAIN="--minutes 25" bounds the teacher; TRAIN="--preset gpu" takes the finer grid that a GPU can afford.
starters: setup
	@sh scripts/train_starter.sh $(BIN)/msynth polyp $(DATA)/polyp_polypgen/train $(TRAIN)
	@sh scripts/train_starter.sh $(BIN)/msynth brain-slice $(DATA)/brain_brisc2025/train $(TRAIN)
	@$(BIN)/msynth train refine $(DATA) -o runs/refiner --starter refiner $(TRAIN)
	@$(BIN)/msynth train tumor $(DATA)/brain_lgg_volumes_NC/train -o runs/lgg-flair --starter lgg-flair $(TRAIN)
	@$(BIN)/msynth train nuclei $(DATA) -o runs/nuclei-he --starter nuclei-he $(TRAIN)
	@$(BIN)/msynth train refine $(DATA)/polyp_polypgen/train -o runs/polyp-coarse --starter polyp-coarse
	@$(BIN)/msynth train refine $(DATA)/brain_brisc2025/train -o runs/brain-slice-coarse --starter brain-slice-coarse

# Draws real slice views of what the extension makes and compares every one with a second opinion: a wrong place is an error. Then
# the module's panel, with the stand-in of the tests.
pictures-slicer: setup $(SLICER_STAMP) $(VIEWS_STAMP)
	@PYTHONPATH=backend:slicer_extension/MedSynth $(VIEWS_VENV)/bin/python docs/make_slicer_views.py $(BIN)/python
	@PYTHONPATH=backend:slicer_extension/MedSynth:. QT_QPA_PLATFORM=offscreen $(SLICER_VENV)/bin/python docs/make_slicer_panels.py $(BIN)/python

$(VIEWS_STAMP): slicer_extension/view-requirements.txt
	@test -x $(VIEWS_VENV)/bin/pip || sh scripts/make_venv.sh $(VIEWS_VENV)
	@echo "Installing Slicer's slice views into $(VIEWS_VENV) (a minute, the first time only) ..."
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(VIEWS_VENV)/bin/python -m pip install --quiet -r slicer_extension/view-requirements.txt
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis demo.png
	find . -name __pycache__ -not -path "./$(VENV)/*" -prune -exec rm -rf {} +
