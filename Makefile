# `make` lists the targets. Every target does its own set-up, the virtual environment included.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools
PACKAGES := core ingestor transformer status-api
LOCKED := $(VENV)/.locked
IMAGES := ingestor transformer status-api
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' services/core/pyproject.toml)
SERVE ?= 8080
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: install
install: $(LOCKED) ## Fill .venv with the locked dependencies and the four packages

$(LOCKED): requirements/bootstrap.txt requirements/dev.txt $(PACKAGES:%=services/%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo 'Python 3.11, 3.12 or 3.13 is needed; name one with PYTHON=python3.x' >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e services/%)
	@touch $@

.PHONY: demo
demo: install ## Run the whole pipeline over derived hours (no account, no network) and open its page; SERVE=0 to end before
	@$(BIN)/python -m tests.demo --serve $(SERVE) $(ARGS)

.PHONY: run
run: install ## Take in the newest hour from Wikimedia itself (needs PAGEVIEWS_CONTACT)
	@$(BIN)/pageviews-ingestor run
	@$(BIN)/pageviews-transformer run

.PHONY: up
up: install ## Both jobs on their schedules against Wikimedia itself, and the page (needs PAGEVIEWS_CONTACT); Ctrl-C ends it
	@trap 'kill 0' INT TERM; \
	export PAGEVIEWS_ONE_TIME_SIGN_IN=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(32))'); \
	echo "The page: http://127.0.0.1:$${PAGEVIEWS_PORT:-8080}"; \
	echo "Once, to sign in as an operator: http://127.0.0.1:$${PAGEVIEWS_PORT:-8080}/sign-in/once?code=$$PAGEVIEWS_ONE_TIME_SIGN_IN"; \
	$(BIN)/pageviews-ingestor watch & $(BIN)/pageviews-transformer watch & $(BIN)/pageviews-status-api & wait

.PHONY: test
test: install ## Run the tests; ARGS='-k hour' for some of them
	@tests/tools/system_tools.sh $(TOOLS)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

.PHONY: lint
lint: install ## Style, types, the direction of imports, SQL
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/sqlfluff lint --processes 1 services/transformer/dbt
	@$(BIN)/python -m tests.tools.write_settings --check
	@$(BIN)/python -m tests.tools.write_chart --check
	@$(BIN)/python -m tests.tools.write_dashboards --check
	@$(BIN)/python -m tests.tools.write_reference --check
	@$(BIN)/python -m tests.tools.write_column_lineage --check

.PHONY: check
check: lint lock-check k8s-check test ## What CI runs, but for the cluster

.PHONY: bench
bench: install ## Measure time and memory against an engine floor; FULL_HOUR=… for a real full-size hour
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: verify-snowflake
verify-snowflake: install ## Prove on a Snowflake account of yours what no stand-in can (needs SNOWFLAKE_… settings)
	@$(BIN)/python -m tests.tools.verify_snowflake $(ARGS)

.PHONY: docs
docs: install ## Write the generated documentation anew
	@$(BIN)/python -m tests.tools.write_settings
	@$(BIN)/python -m tests.tools.write_chart
	@$(BIN)/python -m tests.tools.write_dashboards
	@$(BIN)/python -m tests.tools.write_reference
	@$(BIN)/python -m tests.tools.write_column_lineage

.PHONY: images
images: ## Build the three container images (needs Docker); REGISTRY=registry.example.org/team/ to name them for one
	@for image in $(IMAGES); do \
		docker buildx build --quiet --load --file services/Dockerfile --target $$image --tag $(REGISTRY)pageviews-$$image:$(VERSION) \
			--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) . >/dev/null; \
		echo "$(REGISTRY)pageviews-$$image:$(VERSION)"; \
	done

.PHONY: sbom
sbom: ## Write what each image's virtual environment holds to build/sbom, as CycloneDX
	@docker buildx build --quiet --file services/Dockerfile --target sbom --output build/sbom .
	@ls build/sbom

.PHONY: k8s
k8s: $(TOOLS)/helm ## Render the plain manifests of k8s/ from the chart
	@tests/tools/render_manifests.sh $(TOOLS)/helm k8s

.PHONY: k8s-check
k8s-check: $(TOOLS)/helm ## Fail where k8s/ is not what the chart renders to, or the chart does not pass its linter
	@$(TOOLS)/helm lint --strict --quiet helm/wikipedia-pageviews
	@tests/tools/check_manifests.sh $(TOOLS)/helm k8s

.PHONY: e2e
e2e: install $(TOOLS)/helm ## Prove it all on a cluster: KUBECONFIG of one, or kind; LOAD='kind load docker-image' brings images in
	@$(BIN)/python -m tests.e2e $(ARGS)

$(TOOLS)/helm:
	@tests/tools/system_tools.sh $(TOOLS) helm

.PHONY: lock
lock: install ## Compile the lock files anew from the pyproject files
	@tests/tools/compile_locks.sh requirements $(ARGS)

.PHONY: lock-check
lock-check: install ## Fail if the lock files are not what the pyproject files ask for
	@$(BIN)/python -m tests.tools.check_locks

.PHONY: release
release: install ## Say what a release would change: NEXT=0.2.0; WRITE=1 changes it
	@$(BIN)/python -m tests.tools.release $(NEXT) $(if $(WRITE),--write)

.PHONY: clean
clean: ## Remove what the targets made, but never data/
	@rm -rf $(VENV) $(TOOLS) .mypy_cache .ruff_cache .pytest_cache .hypothesis services/transformer/dbt/{target,logs}
