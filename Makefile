# Two commands do all: `make` sets up and runs the proxy with a Redis, `make test` sets up and runs every test.

SHELL := /bin/bash
.DEFAULT_GOAL := run
MAKEFLAGS += --no-print-directory

# The version that is installed where none is on PATH, and the oldest that will do.
DENO_VERSION := 2.9.6
DENO_VERSION_MIN := 2.9.0
DENO_LOCAL := $(CURDIR)/.tools/node_modules/deno/deno

# The deno on PATH when it is recent enough and has what lib/http/http_connection.ts needs of it, else our own.
DENO := $(shell \
	found=$$(command -v deno) && version=$$("$$found" --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p') && \
	[ "$$(printf '%s\n' "$(DENO_VERSION_MIN)" "$$version" | sort -V | head -1)" = "$(DENO_VERSION_MIN)" ] && \
	"$$found" eval 'Deno.exit(Deno[Deno.internal]?.serveHttpOnConnection ? 0 : 1)' >/dev/null 2>&1 && \
	echo "$$found" || echo "$(DENO_LOCAL)")
export PATH := $(dir $(DENO)):$(PATH)
export DENO_NO_UPDATE_CHECK := 1

# A setting's value: from the environment, else from .env, else $(2).
setting = $${$(1):-$$(sed -n 's/^$(1)=//p' .env 2>/dev/null | tail -1 | grep . || echo $(2))}

.PHONY: run
run: ## set up and run the proxy with a Redis (the default); with a Docker engine, by docker compose
	@if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then \
		exec docker compose up --build; \
	else \
		exec $(MAKE) run-local; \
	fi

.PHONY: run-local
run-local: tools ## the same without Docker
	@host=$(call setting,REDIS_HOST,127.0.0.1) port=$(call setting,REDIS_PORT,6379) url=$(call setting,REDIS_URL,''); \
	http=$(call setting,PROXY_PORT,5000); \
	redis=''; proxy=''; \
	listens() { timeout 2 bash -c 'exec 3<>"/dev/tcp/$$0/$$1"' "$$host" "$$port" 2>/dev/null; }; \
	trap 'kill $$proxy 2>/dev/null' INT TERM; \
	if [ -n "$$url" ] || listens; then \
		echo "redis-proxy: using the Redis that is there"; \
	elif [ "$$host" != 127.0.0.1 ] && [ "$$host" != localhost ]; then \
		echo "redis-proxy: no Redis answers at $$host:$$port yet; the proxy tries again until one does"; \
	else \
		echo "redis-proxy: starting a redis-server on port $$port; it keeps nothing, and stops with the proxy"; \
		mkdir -p .tools; \
		setsid redis-server --port "$$port" --bind 127.0.0.1 --save '' --appendonly no --dir .tools --logfile redis.log & redis=$$!; \
		for i in {1..50}; do listens && break; sleep 0.1; done; \
		listens || { echo "redis-proxy: redis-server did not start; see .tools/redis.log" >&2; kill "$$redis" 2>/dev/null; exit 1; }; \
	fi; \
	echo "redis-proxy: serving at http://127.0.0.1:$$http; Ctrl-C stops it"; \
	[ -n "$$url" ] || echo "redis-proxy: try    redis-cli -h $$host -p $$port set greeting hello && curl -i http://127.0.0.1:$$http/get/greeting"; \
	deno task --quiet start & proxy=$$!; \
	wait $$proxy; code=$$?; \
	while kill -0 $$proxy 2>/dev/null; do wait $$proxy; code=$$?; done; \
	[ -z "$$redis" ] || { kill "$$redis"; wait "$$redis"; } 2>/dev/null; \
	exit $$code

.PHONY: test
test: test-unit test-e2e ## set up and run every test, unit and end to end

.PHONY: test-unit
test-unit: tools ## the unit tests alone
	@deno task --quiet test:unit

.PHONY: test-e2e
test-e2e: tools chromium ## the end-to-end tests alone, against the executable in dist/ or else by `deno run`
	@deno task --quiet test:e2e

.PHONY: check
check: deno ## format, lint, types and the examples in the docs; takes seconds
	@deno fmt --check --quiet && deno lint --quiet && deno task --quiet check:types && deno task --quiet check:docs

.PHONY: format
format: deno ## write the format that `make check` wants
	@deno fmt

.PHONY: build
build: deno ## compile dist/redis-proxy
	@mkdir -p .tools; deno task --quiet build 2>.tools/build.log || { \
		if grep -qiE 'denort|error sending request' .tools/build.log; then \
			echo "make build: the runtime base of deno compile cannot be fetched here; set DENORT_BIN to a local denort of the same version (details: .tools/build.log)" >&2; \
		else cat .tools/build.log >&2; \
		fi; \
		exit 1; \
	}

.PHONY: bench
bench: tools ## measure against what people would pick instead; half an hour; results and charts go to bench/results/
	@bench/peers/install.sh && deno run -A bench/run.ts && deno run -A bench/charts.ts

.PHONY: bench-quick
bench-quick: tools ## the same in under two minutes, rougher; results go to bench/results/quick/
	@bench/peers/install.sh && deno run -A bench/run.ts --quick

.PHONY: soak
soak: tools ## a million reads against a Redis that is written, killed and restarted: none may be stale; six minutes
	@deno run -A bench/coherence/soak.ts

.PHONY: profile
profile: tools ## a CPU profile of the hit path, as a table and a flame graph, to bench/results/
	@bench/peers/install.sh && deno run -A bench/profile.ts

.PHONY: tools
tools: deno redis-server ## install what is missing: Deno into .tools/, redis-server by the system's package manager

.PHONY: deno
deno:
	@if [ ! -x "$(DENO)" ]; then \
		command -v npm >/dev/null || { echo "make: npm is needed to install Deno; or put a deno of at least $(DENO_VERSION_MIN) on PATH" >&2; exit 1; }; \
		echo "make: installing Deno $(DENO_VERSION) into .tools/"; \
		npm install --prefix .tools --no-save --no-audit --no-fund --loglevel error deno@$(DENO_VERSION) >/dev/null && \
		node .tools/node_modules/deno/bin.cjs --version >/dev/null; \
	fi

.PHONY: redis-server
redis-server:
	@command -v redis-server >/dev/null || { \
		echo "make: installing redis-server"; \
		as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		if command -v apt-get >/dev/null; then \
			$$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes redis-server >/dev/null; \
		elif command -v dnf >/dev/null; then $$as_root dnf install --assumeyes --quiet redis; \
		elif command -v apk >/dev/null; then $$as_root apk add --quiet redis; \
		elif command -v brew >/dev/null; then brew install --quiet redis; \
		else echo "make: no package manager that is known here; install redis-server yourself" >&2; exit 1; \
		fi; \
	}

# Only the tests of the page need it, so where it cannot be installed they are skipped, and say so.
.PHONY: chromium
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null || [ -x "$${CHROMIUM:-}" ] || { \
		echo "make: installing chromium, for the tests of the page"; \
		as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		if command -v apt-get >/dev/null; then \
			$$as_root apt-get update -qq && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
		elif command -v dnf >/dev/null; then $$as_root dnf install --assumeyes --quiet chromium; \
		elif command -v apk >/dev/null; then $$as_root apk add --quiet chromium font-dejavu; \
		else false; \
		fi || echo "make: chromium cannot be installed here; the tests of the page are skipped" >&2; \
	}

.PHONY: clean
clean: ## remove what was built and installed here
	@rm -rf dist .tools

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | column -t -s @
