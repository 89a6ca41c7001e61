# Everything that a contributor runs. `make help` lists it.

MODULES := . demo interop chaos bench
# The fault suite and the bench are programs that measure: they wait and print by design, and are vetted, not linted.
LINTED  := . demo interop
GO      ?= go
BIN     := $(CURDIR)/bin

GOFUMPT_VERSION  := v0.12.0
GOLANGCI_VERSION := v2.15.0
GOTESTSUM_VERSION := v1.13.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: test
test: ## the library's tests, as a user runs them
	$(GO) test ./...

.PHONY: race
race: ## the tests of every module under the race detector
	@set -e; for m in $(MODULES); do echo "== $$m"; (cd $$m && $(GO) test -race ./...); done

.PHONY: tour
tour: ## the tour: everything that Muster promises, shown on real parts
	$(GO) run ./demo

.PHONY: integration
integration: ## the demo services by hand against etcd-server, MariaDB and redis-server of the system
	scripts/integration.sh

FLOOR_TESTS := FloorModel|AllFail|BetweenReadAndCommit|RequestsWhileHeld

.PHONY: floor
floor: ## the floor's figures, of 50 repetitions, and its protocol searched for four instances
	FLOOR_REPETITIONS=50 $(GO) test -count=1 -v -run '$(FLOOR_TESTS)' ./naming/etcd ./internal/floortest

.PHONY: floor-tests
floor-tests:
	@echo '$(FLOOR_TESTS)'

.PHONY: chaos
chaos: ## the fault suite: real processes, a three-node etcd, constant calls
	$(GO) run ./chaos

.PHONY: soak
soak: ## ten minutes of random faults under the race detector; SEED=n repeats a run
	$(GO) run -race ./chaos -soak 10m $(if $(SEED),-seed $(SEED))

.PHONY: bench
bench: ## side by side with the usual stack and raw etcd; writes docs/benchmarks.md
	$(GO) run ./bench -out docs/benchmarks.md

.PHONY: microbench
microbench: ## the benchmarks in the packages
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(or $(BENCHTIME),1s) ./health ./hertzext ./catalog ./kitexext ./gate

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (20s)
	scripts/fuzz.sh $(or $(FUZZTIME),20s)

.PHONY: gen
gen: ## generate the Kitex code from the IDL
	scripts/gen.sh

.PHONY: check-gen
check-gen: ## fail if the generated code is stale
	scripts/gen.sh -check

.PHONY: fmt
fmt: $(BIN)/gofumpt ## format everything
	$(BIN)/gofumpt -l -w $$(git ls-files '*.go' | grep -v kitex_gen)

.PHONY: check-fmt
check-fmt: $(BIN)/gofumpt ## fail if something is not formatted
	@out=$$($(BIN)/gofumpt -l $$(git ls-files '*.go' | grep -v kitex_gen)); \
	if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi

.PHONY: lint
lint: $(BIN)/golangci-lint ## vet and lint every module
	@set -e; for m in $(MODULES); do echo "== vet $$m"; (cd $$m && $(GO) vet ./...); done
	@set -e; for m in $(LINTED); do echo "== lint $$m"; (cd $$m && $(BIN)/golangci-lint run --allow-parallel-runners ./...); done

.PHONY: tools
tools: $(BIN)/gofumpt $(BIN)/golangci-lint $(BIN)/gotestsum ## the tools, in bin/, at their pinned versions

$(BIN)/gofumpt: Makefile
	GOBIN=$(BIN) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION) && touch $@

$(BIN)/golangci-lint: Makefile
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) && touch $@

$(BIN)/gotestsum: Makefile
	GOBIN=$(BIN) $(GO) install gotest.tools/gotestsum@$(GOTESTSUM_VERSION) && touch $@
