# Fonster. `make` lists the targets.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export CGO_ENABLED := 0
LOCAL := $(CURDIR)/.local
TOOLS := $(LOCAL)/tools
export PATH := $(LOCAL)/bin:$(PATH)

IMG ?= fonster:latest
CLUSTER ?= fonster
# Where commands on a cluster go: yours, or else the local one.
export KUBECONFIG ?= $(LOCAL)/$(if $(filter fonster,$(CLUSTER)),kubeconfig,$(CLUSTER).kubeconfig)

##@ General

.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*##"} /^[a-z0-9-]+:.*?##/ {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2} /^##@/ {printf "\n%s\n", substr($$0, 5)}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build control-plane ## Everything from nothing: a cluster, the operator, and a walk through what it does.
	@hack/demo/run.sh

.PHONY: play
play: build control-plane ## A cluster to play with: the operator, four municipalities, windows of this week, the page; and what to try.
	@hack/play/run.sh up

.PHONY: play-down
play-down: ## End what 'make play' has started.
	@hack/play/run.sh down

##@ Development

.PHONY: build
build: go ## Build the operator, the page and the kubectl plugin into bin/.
	@go build -o bin/ ./cmd/...
	@cd offline && go build -o ../bin/kubectl-window-offline ./cmd/kubectl-window-offline
	@cp hack/kubectl_complete-window bin/

.PHONY: test
SHARDS ?= 3
export SHARDS
test: go prometheus helm control-plane $(TOOLS)/gotestsum ## Run every test but soak; what they need is built, or installed. Error 3: nothing failed, and the last line says what did not run.
	@hack/test.sh

.PHONY: test-unit
test-unit: go $(TOOLS)/gotestsum ## Run the tests that need no control plane, with the race detector.
	@RACE=1 hack/test.sh unit

.PHONY: test-model
test-model: go $(TOOLS)/gotestsum ## Run the policies against the model, in MODEL_CASES random cases, and against the API server's limits.
	@hack/test.sh model

.PHONY: test-e2e
test-e2e: go prometheus control-plane $(TOOLS)/gotestsum ## Run the tests on a real control plane, in SHARDS parts side by side.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh e2e

.PHONY: test-versions
VERSIONS ?= 1.32 1.34 1.35 1.36 1.37
test-versions: go control-plane $(TOOLS)/gotestsum ## Run the matrix of rules, holds and overrides on each of VERSIONS of Kubernetes; ten minutes more for each the first time, to build it.
	@hack/versions/test.sh $(VERSIONS)

.PHONY: test-restarts
test-restarts: go prometheus control-plane $(TOOLS)/gotestsum ## Run what kills the operator again and again, and restarts the control plane; and what Prometheus sees of it.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh restarts

.PHONY: soak
MONKEY_REQUESTS ?= 100000
soak: go chromium prometheus control-plane $(TOOLS)/gotestsum ## Run in full what is shorter in make test: 50 kills, restarts, MONKEY_REQUESTS of the monkey; and take all pictures, into .local/soak.
	@MONKEY_REQUESTS=$(MONKEY_REQUESTS) TEST_TIMEOUT=$${TEST_TIMEOUT:-3h} GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh soak monkey

.PHONY: monkey
monkey: go control-plane $(TOOLS)/gotestsum ## Play a namespace admin at random against closed namespaces, MONKEY_REQUESTS requests from MONKEY_SEED on (docs/monkey.md).
	@MONKEY_REQUESTS=$(MONKEY_REQUESTS) TEST_TIMEOUT=$${TEST_TIMEOUT:-3h} GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-standard-verbose} hack/test.sh monkey

.PHONY: test-browser
test-browser: go chromium $(TOOLS)/gotestsum ## Run the tests of the page in headless Chromium.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh browser

.PHONY: test-release
test-release: go $(TOOLS)/gotestsum ## Release twice, in two folders, and compare; push the image to a registry in the test and pull it.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh hack/release

.PHONY: screenshots
screenshots: go chromium ## Take the pictures of the page that the documents show.
	@cd test/browser && go run ./screenshots $(CURDIR)/docs/images

.PHONY: dashboard-picture
dashboard-picture: go chromium prometheus control-plane ## Draw the dashboard's queries, as Prometheus answers them in a test, for the documents.
	@FONSTER_PICTURE=$(CURDIR)/docs/images/dashboard.png go test ./test/e2e -count 1 -run 'TestObserve$$'

.PHONY: fuzz
FUZZTIME ?= 30s
fuzz: go ## Fuzz the parsers and the calendar, each for FUZZTIME.
	@for target in $$(grep -rhoE '^func Fuzz[A-Za-z]+' internal/schedule | cut -d' ' -f2); do \
		go test ./internal/schedule -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME); done

.PHONY: bench
bench: go control-plane ## Measure speed and memory, as ratios in one run.
	@go test ./internal/schedule -run '^$$' -bench . -benchtime 1s
	@cd offline && go test ./evaluate -run '^$$' -bench . -benchtime 20000x
	@go test ./test/bench -run '^$$' -bench . -benchtime 1x -timeout 90m -v

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters: layering, clocks, API conventions, style.
	@$(TOOLS)/golangci-lint run ./...

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate CRDs, RBAC, policies, the chart, and the pages of rules and inputs.
	@$(TOOLS)/controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	@go run ./hack/crdtext config/crd/bases
	@$(TOOLS)/controller-gen rbac:roleName=fonster-manager paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@cd hack/policies && go run . $(CURDIR)
	@go run ./hack/chart config charts/fonster

.PHONY: generate
generate: $(TOOLS)/controller-gen $(TOOLS)/crd-ref-docs ## Generate Go code, the references, the page of commands, rules and the dashboard.
	@$(TOOLS)/controller-gen object paths=./api/...
	@mkdir -p docs/reference
	@go run ./hack/observe config docs/reference/metrics.md
	@go run ./hack/commands docs/reference/commands.md
	@$(TOOLS)/crd-ref-docs --log-level=ERROR --config hack/tools/crd-ref-docs.yaml --source-path api --renderer markdown --output-path docs/reference/api.md

.PHONY: verify
verify: go ## Check that generated files, modules and formatting are up to date.
	@hack/verify.sh

.PHONY: helm
helm: $(LOCAL)/bin/helm3 $(LOCAL)/bin/helm4 ## Build both versions of Helm, for the tests of the chart; some minutes the first time.

$(LOCAL)/bin/helm%: hack/helm/v%/go.mod hack/helm/v%/go.sum | go
	@mkdir -p $(LOCAL)/bin
	@echo "building Helm $*; some minutes the first time"
	@cd hack/helm/v$* && go build -o $@ helm.sh/helm/v$*/cmd/helm
	@touch $@

.PHONY: test-helm
test-helm: go helm control-plane $(TOOLS)/gotestsum ## Run the tests of the chart, with Helm 3 and 4 on a real control plane.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh ./test/helm

.PHONY: test-node
test-node: go node $(LOCAL)/bin/helm4 control-plane $(TOOLS)/gotestsum ## Install the chart on real nodes (kubelet, containerd, runc); kill, drain, upgrade, remove. On Linux, as root.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh node

##@ Local cluster

.PHONY: control-plane
control-plane: go ## Build the local control plane, where it is not up to date.
	@hack/controlplane/build.sh

.PHONY: node
node: go
	@hack/node/packages.sh
	@hack/node/build.sh

.PHONY: cluster-up
cluster-up: go ## Start the local cluster; its kubeconfig is .local/kubeconfig (CLUSTER=NAME: .local/NAME.kubeconfig).
	@hack/controlplane/cluster.sh up $(CLUSTER)

.PHONY: cluster-down
cluster-down: ## Stop the local cluster.
	@hack/controlplane/cluster.sh down $(CLUSTER)

.PHONY: run
run: build kubectl ## Run the operator in the foreground, and the page beside it, each as its own ServiceAccount.
	@hack/run.sh $(ARGS)

##@ Deployment

.PHONY: install
VIEWERS ?= all
install: kubectl ## Install CRDs, policies and RBAC into the cluster (VIEWERS=none: not everybody may read windows and freezes).
	@VIEWERS=$(VIEWERS) hack/install.sh

.PHONY: uninstall
uninstall: go kubectl ## Remove everything from the cluster: bindings and policies first, so that nothing stays gated, then the CRDs. Refused while rollouts are held.
	@go run ./cmd/fonster remove --crds
	@for part in manager page viewers rbac; do kubectl delete --ignore-not-found -k config/$$part; done

.PHONY: deploy
deploy: install ## Run the operator and the page in the cluster, from image IMG.
	@for part in manager page; do \
		kubectl kustomize config/$$part | sed 's#image: fonster:latest#image: $(IMG)#' | kubectl apply --server-side --force-conflicts -f -; done

.PHONY: undeploy
undeploy: go kubectl ## Stop the operator and the page in the cluster; nothing is held any more, what refuses stays. Refused while rollouts are held.
	@go run ./cmd/fonster remove --keep-policies
	@for part in manager page; do kubectl delete --ignore-not-found -k config/$$part; done

.PHONY: docker-build
docker-build: ## Build the image IMG, of operator and page, with Docker, of the work tree as it is ('make release' needs none).
	docker build -t $(IMG) --build-arg VERSION=$(VERSION) --build-arg COMMIT=$$(git rev-parse --short=12 HEAD 2>/dev/null) .

##@ Release

# The repository of the image, which install.yaml names with the version, and the URL of the folder that the plugin's archives will be in.
IMAGE ?= fonster
DOWNLOADS ?= https://fonster.dev/releases/VERSION

.PHONY: release
release: go ## Write dist/ of VERSION=v0.1.0: install.yaml, chart, image, plugin, SBOM, checksums, notes; without Docker (docs/release.md).
	@go -C hack/release run . build -version "$(VERSION)" -root $(CURDIR) -output $(CURDIR)/dist -image "$(IMAGE)" -downloads "$(DOWNLOADS)"

.PHONY: push
push: go ## Push the image in dist/ to IMG=REGISTRY/REPOSITORY:TAG, all platforms, without Docker.
	@go -C hack/release run . push $(CURDIR)/dist/image "$(IMG)"

##@ Tools

.PHONY: go
go:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.26 or later, https://go.dev/dl/" >&2; exit 1; }
	@version=$$(go env GOVERSION) && [[ $$version =~ ^go1\.(2[6-9]|[3-9][0-9]) ]] || \
		{ echo "Go is too old ($${version:-unknown}): install Go 1.26 or later, https://go.dev/dl/" >&2; exit 1; }

.PHONY: chromium
chromium:
	@hack/chromium.sh

.PHONY: prometheus
prometheus: go ## Build Prometheus and Alertmanager for the tests, where they are not installed.
	@hack/prometheus/build.sh

.PHONY: kubectl
kubectl:
	@command -v kubectl >/dev/null || hack/controlplane/build.sh

$(TOOLS)/controller-gen $(TOOLS)/crd-ref-docs $(TOOLS)/gotestsum &: hack/tools/go.mod hack/tools/go.sum | go
	@mkdir -p $(TOOLS)
	@echo "building the tools pinned in hack/tools"
	@cd hack/tools && go build -o $(TOOLS)/ tool
	@touch $(TOOLS)/{controller-gen,crd-ref-docs,gotestsum}

$(TOOLS)/golangci-lint: hack/tools/lint/go.mod hack/tools/lint/go.sum | go
	@mkdir -p $(TOOLS)
	@echo "building golangci-lint; some minutes the first time"
	@cd hack/tools/lint && go build -o $@ sigs.k8s.io/kube-api-linter/cmd/golangci-lint-kube-api-linter
