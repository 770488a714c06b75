# make help lists the targets.

GO       ?= go
GOFMT    ?= gofmt
FUZZTIME ?= 10s
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Each package is tested once. Those whose work is concurrency, with the race
# detector; the rules and what runs whole programs, without it.
RACE  := ./pkg/scheduler/... ./pkg/worker/... ./pkg/queue/... ./pkg/commands/... ./pkg/handlers/... ./pkg/check/checktest \
         ./internal/daemon/... ./examples/...
PLAIN  = $(filter-out $(shell $(GO) list $(RACE)) %/test/system %/test/cluster %/test/sentinel,$(shell $(GO) list ./...))
TESTFLAGS ?= -vet=off -timeout 10m

# In CI a test that lacks its server fails; elsewhere it is skipped, loudly.
ifeq ($(CI),true)
export REDPOLL_TEST_REDIS := required
export REDPOLL_TEST_SERVERS := required
export REDPOLL_TEST_NETNS := required
endif

.PHONY: help all test deps format vet build test-race test-plain test-system test-cluster test-bench test-deploy test-schemas test-image lint bench fuzz vuln sbom cover soak soak-6h clean
.NOTPARALLEL:

help: ## lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 14

all: build

test: deps format vet build test-race test-plain test-system test-cluster test-deploy ## all that CI does: installs what tests need, format, vet, build, tests

deps: ## installs the servers that tests need, where they are missing (Debian, Ubuntu)
	@.ci/deps

format: ## fails when a file is not as gofmt writes it
	@bad=$$($(GOFMT) -l cmd examples internal pkg test); if [ -n "$$bad" ]; then echo "not as gofmt writes it:"; echo "$$bad"; exit 1; fi

vet: test-bench ## go vet of everything
	$(GO) vet ./...

build: ## the three programs, into bin/
	$(GO) build ./...
	$(GO) build -o bin/ ./cmd/...

test-bench: ## vets and builds the module of the benchmarks
	cd test/bench && $(GO) vet ./... && $(GO) build -o /dev/null ./...

test-race: ## the packages whose work is concurrency
	$(GO) test -race $(TESTFLAGS) $(RACE)

test-plain: ## the other packages
	$(GO) test $(TESTFLAGS) $(PLAIN)

test-system: ## the real binaries: kill, stop, restart, scale
	$(GO) test $(TESTFLAGS) ./test/system

test-cluster: ## the real binaries on a Redis Cluster and on Sentinel, with failovers
	$(GO) test $(TESTFLAGS) ./test/cluster ./test/sentinel

test-deploy: ## what is in deploy/: manifests, chart, image, alerts; a module of its own
	cd test/deploy && $(GO) vet -tags image,schemas ./... && $(GO) test $(TESTFLAGS) -count=1 ./...

test-schemas: ## the manifests by the schemas of Kubernetes, KEDA and the Prometheus operator: 30 MB from the module proxy, the first time
	cd test/deploy && $(GO) test $(TESTFLAGS) -count=1 -tags schemas -run '^TestSchemas$$' -v .

test-image: ## what the Dockerfile does, without an engine: build, start, drain, an outage of Redis; as root, takes minutes
	cd test/deploy && $(GO) test $(TESTFLAGS) -count=1 -tags image -run '^TestImage$$' -v .

lint: ## go mod tidy -diff and golangci-lint, in all three modules; the first call builds it
	@for dir in . test/bench test/deploy; do \
		echo "lint $$dir"; (cd "$$dir" && $(GO) mod tidy -diff && $(GOLANGCI) run --build-tags image,schemas) || exit 1; \
	done

bench: ## what this machine can do, and the Go benchmarks
	$(GO) run ./cmd/redpoll bench
	$(GO) test -run '^$$' -bench . ./pkg/...

fuzz: ## every fuzz test for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' pkg internal | sort | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			echo "$$(dirname "$$file") $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "./$$(dirname "$$file")" || exit 1; \
		done; \
	done

vuln: ## known holes in what is built in; says so where their database is out of reach
	@.ci/vuln

sbom: build ## bills of materials of the three programs, CycloneDX: bin/*.cdx.json
	@$(GO) run ./internal/sbom bin/redpoll bin/scheduler bin/worker

cover: ## coverage.out and the total
	$(GO) test -vet=off -coverpkg=./pkg/...,./internal/... -coverprofile=coverage.out ./pkg/... ./internal/... ./cmd/...
	$(GO) tool cover -func=coverage.out | tail -n 1

soak: ## the systems of the tests with chaos ten times as long
	$(GO) test $(TESTFLAGS) -timeout 60m -count=1 -v ./test/system -system.long

soak-6h: ## a fleet for six hours: fails when memory, goroutines, descriptors or streams grow; samples in soak.csv
	$(GO) run ./test/soak -for 6h -out soak.csv

clean: ## removes what builds leave
	rm -rf bin dist coverage.out soak.csv
