# Everything a developer or CI runs. Each target creates the virtual environment that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
E2E ?= auto
STAGE ?= split
SAMPLE ?= 0
LIMIT ?= 2280
SCHEDULES ?= 200
LATE ?= 300
JOBS ?= 8
SEED ?= 1
# Tests wait more than they compute.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 1) + 1)')
export IRSA_E2E := $(E2E)
# Thousands of processes import irsa here: without this, each of them compiles it.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test room test-thorough coverage measure mutants check lint types imports docs texts bench acceptance faults fuzz oldest envtest format clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.ready  ## Run the main job in the sandbox, from end to end
	$(BIN)/python -m irsa_cli sandbox demo

test: $(VENV)/.ready  ## Run all tests; E2E=required fails if the real control plane can't run
	@case "$(E2E)" in \
	  required) $(BIN)/python tools/envtest/build.py && $(BIN)/python tools/pipeline/build_checks.py ;; \
	  no) ;; \
	  *) $(BIN)/python tools/envtest/build.py || echo "!!! e2e tests will NOT RUN: no real control plane" >&2; \
	    $(BIN)/python tools/pipeline/build_checks.py || echo "!!! checks of pipelines will NOT RUN: no Go" >&2 ;; \
	esac
	@# Each worker collects all tests: what pytest makes of their modules is kept for them.
	@echo "Collecting the tests ..."
	$(BIN)/python -m pytest --collect-only -q | tail -n 1
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The folders of a room in each layer; its tests, scenarios too, are in tests/rooms.py.
FOLDERS = $(wildcard irsa_cli/$(ROOM) irsa_cli/*/$(ROOM) tests/unit/$(ROOM))
room: $(VENV)/.ready  ## Run lint, types and tests of one room, with its main scenarios (ROOM=planning)
	@test -n "$(FOLDERS)" || { echo "no room is called '$(ROOM)': ROOM=planning" >&2; exit 2; }
	$(BIN)/ruff check $(FOLDERS)
	$(BIN)/mypy $(FOLDERS)
	IRSA_TEST_PROFILE=brief $(BIN)/python -m pytest -q -m "not e2e" -n $(WORKERS) \
	  $$($(BIN)/python -m tests.rooms $(ROOM))

test-thorough: $(VENV)/.ready  ## Run the unit tests with 16 times as many examples; move 150 ServiceAccounts; all that 0.1 left
	IRSA_TEST_PROFILE=thorough $(BIN)/python -m pytest tests/unit tests/scenarios/test_migrate_clients.py \
	  tests/scenarios/test_repoint.py tests/written_by_0_1 -n $(WORKERS)

coverage: $(VENV)/.ready  ## Coverage of each room by the unit tests; fails below the limit
	$(BIN)/python -m pytest tests/unit -q -n $(WORKERS) --cov --cov-report=json:coverage.json
	$(BIN)/python tools/house/measure.py --coverage coverage.json --least $(LEAST)
LEAST = irsa_cli.usecases=60 irsa_cli.changes=70

measure: $(VENV)/.ready  ## Print what each room says and how it branches, and what commands that write can reach
	$(BIN)/python tools/house/measure.py

FAULTS ?= tools/house/planted_faults.json
mutants: $(VENV)/.ready  ## Plant 200 faults in the program, and count those that the tests find (FAULTS=file)
	$(BIN)/python tools/house/mutants.py plant $(FAULTS)

check: lint types imports docs  ## Run all checks of CI except the tests

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.ready
	$(BIN)/mypy

imports: $(VENV)/.ready
	$(BIN)/lint-imports

docs: $(VENV)/.ready  ## Build the documentation strictly, into site/
	$(BIN)/python tools/docs/commands.py --check
	$(BIN)/python tools/docs/man.py --check
	$(BIN)/python tools/docs/config_schema.py --check
	$(BIN)/python tools/docs/saved_plan_schema.py --check
	$(BIN)/python tools/docs/well_known_policies.py --check
	$(BIN)/python tools/docs/audit_rules.py --check
	$(BIN)/python tools/docs/words.py --check
	$(BIN)/python tools/docs/plain.py --check
	$(BIN)/python -m zensical build --strict --clean

texts: $(VENV)/.ready  ## List every text of the program that a user can read
	@$(BIN)/python tools/docs/plain.py

faults: $(VENV)/.ready  ## Break every call in every way; parallel runs; late reads (SAMPLE, LATE=seconds)
	@test "$(STAGE)" = sandbox || $(BIN)/python tools/envtest/build.py
	$(BIN)/python -m tests.faults --stage $(STAGE) --sample $(SAMPLE) --limit $(LIMIT) --seed $(SEED) -j $(JOBS); code=$$?; \
	$(BIN)/python -m tests.faults.schedules --count $(SCHEDULES) --seed $(SEED) -j 4 || code=1; \
	$(BIN)/python -m tests.faults.replicas --lag 0.3 --lag 1 --lag 3 --sample $(LATE) --seed $(SEED) && exit $$code

COUNT ?= 10000
fuzz: $(VENV)/.ready  ## Fuzz command lines, files, journals, answers, annotations and pods (COUNT, SEED)
	$(BIN)/python -m tests.fuzz --count $(COUNT) --seed $(SEED)

# One file for each part of boto3, click and the Kubernetes client that commands use.
OLDEST = associate_oidc.py attach_role.py create_sa.py apply.py adopt.py delete_files.py describe_sa.py \
	exec_token.py recover.py verify.py
oldest:  ## Run the quick tests with the oldest allowed dependencies
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt -e '.[test]'
	.venv-oldest/bin/python -m pytest -n $(WORKERS) -m "not e2e" $(addprefix tests/scenarios/test_,$(OLDEST))

acceptance: $(VENV)/.ready  ## Run irsa in your AWS account and EKS cluster (CLUSTER, PROFILE, REGION)
	$(BIN)/python -m tests.acceptance --cluster "$(CLUSTER)" $(if $(PROFILE),--profile "$(PROFILE)") \
	  $(if $(REGION),--region "$(REGION)") --report acceptance.md --json acceptance.json

bench: $(VENV)/.ready  ## Print the numbers of docs/explanation/performance.md
	$(BIN)/python -m benchmarks.run

envtest: $(VENV)/.ready  ## Build the real kube-apiserver and etcd (needs Go)
	$(BIN)/python tools/envtest/build.py

format: $(VENV)/.ready  ## Format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean:  ## Remove build results
	rm -rf $(VENV) site .cache coverage.json .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis tools/*/bin
