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

##@ Development

.PHONY: build
build: go ## Build the operator, the page and the kubectl plugin into bin/.
	@go build -o bin/ ./cmd/...
	@cd offline && go build -o ../bin/kubectl-window-offline ./cmd/kubectl-window-offline
	@cp hack/kubectl_complete-window bin/

.PHONY: test
SHARDS ?= 2
export SHARDS
test: go prometheus control-plane $(TOOLS)/gotestsum ## Run every test but soak; what they need is built, or installed. Error 3: nothing failed, and the last line says what did not run.
	@hack/test.sh

.PHONY: test-unit
test-unit: go $(TOOLS)/gotestsum ## Run the tests that need no control plane, with the race detector.
	@hack/test.sh unit

.PHONY: test-model
test-model: go $(TOOLS)/gotestsum ## Run the policies against the model, in MODEL_CASES random cases, and against the API server's limits.
	@hack/test.sh model

.PHONY: test-e2e
test-e2e: go prometheus control-plane $(TOOLS)/gotestsum ## Run the tests on a real control plane, in SHARDS parts side by side.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh e2e

.PHONY: soak
soak: go chromium prometheus control-plane $(TOOLS)/gotestsum ## Run in full what is shorter in test-e2e: 50 kills, restarts; and take all pictures, into .local/soak.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh soak

.PHONY: monkey
MONKEY_REQUESTS ?= 100000
monkey: go control-plane $(TOOLS)/gotestsum ## Play a namespace admin at random against closed namespaces, MONKEY_REQUESTS requests from MONKEY_SEED on (docs/monkey.md).
	@MONKEY_REQUESTS=$(MONKEY_REQUESTS) TEST_TIMEOUT=$${TEST_TIMEOUT:-3h} GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-standard-verbose} hack/test.sh monkey

.PHONY: test-browser
test-browser: go chromium $(TOOLS)/gotestsum ## Run the tests of the page in headless Chromium.
	@GOTESTSUM_FORMAT=$${GOTESTSUM_FORMAT:-testname} hack/test.sh browser

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
	@go test ./test/bench -run '^$$' -bench . -benchtime 1x -timeout 30m -v

.PHONY: lint
lint: $(TOOLS)/golangci-lint ## Run the linters: layering, clocks, API conventions, style.
	@$(TOOLS)/golangci-lint run ./...

.PHONY: manifests
manifests: $(TOOLS)/controller-gen ## Generate CRDs, RBAC, policies and the pages of rules and inputs.
	@$(TOOLS)/controller-gen crd paths=./api/... output:crd:artifacts:config=config/crd/bases
	@go run ./hack/crdtext config/crd/bases
	@$(TOOLS)/controller-gen rbac:roleName=fonster-manager paths=./controllers/... output:rbac:artifacts:config=config/rbac
	@cd hack/policies && go run . $(CURDIR)

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

##@ Local cluster

.PHONY: control-plane
control-plane: go ## Build the local control plane, where it is not up to date.
	@hack/controlplane/build.sh

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

# Below Kubernetes 1.36 there are no mutating policies.
knows-mutating = kubectl get --raw /apis/admissionregistration.k8s.io/v1 | grep -q '"mutatingadmissionpolicies"'

delete-bindings = for kind in $$(kubectl api-resources --api-group=admissionregistration.k8s.io -o name | grep policybindings); do \
	kubectl delete $$kind -l app.kubernetes.io/managed-by=fonster; done

.PHONY: uninstall
uninstall: undeploy ## Remove everything from the cluster: bindings and policies first, so that nothing stays gated, then Gates with their CRD.
	@$(delete-bindings)
	@! $(knows-mutating) || kubectl delete --ignore-not-found -k config/mutating
	@kubectl delete --ignore-not-found -k config/policies
	@sleep 2 # the API server rereads policies each second, and one of them keeps the CRDs
	@kubectl delete --ignore-not-found -k config/crd
	@kubectl label namespaces -l maintenance.fonster.dev/gated maintenance.fonster.dev/gated-
	@for part in viewers rbac; do kubectl delete --ignore-not-found -k config/$$part; done

.PHONY: deploy
deploy: install ## Run the operator and the page in the cluster, from image IMG.
	@for part in manager page; do \
		kubectl kustomize config/$$part | sed 's#image: fonster:latest#image: $(IMG)#' | kubectl apply --server-side --force-conflicts -f -; done

.PHONY: undeploy
undeploy: kubectl ## Stop the operator and the page in the cluster; nothing is held any more, what refuses stays. Refused while rollouts are held.
	@hack/undeploy.sh

.PHONY: docker-build
docker-build: ## Build the image IMG, of operator and page.
	docker build -t $(IMG) .

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
