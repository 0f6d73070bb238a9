#!/usr/bin/env bash
# Checks that everything generated is checked in as it would be generated now, that modules are tidy, and code formatted.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v git >/dev/null || { echo "verify: git is missing" >&2; exit 1; }
status=0
before=$(git status --porcelain; git diff | sha256sum)
make --no-print-directory generate manifests
after=$(git status --porcelain; git diff | sha256sum)
if [[ $before != "$after" ]]; then
  echo "verify: generated files were not up to date; they are now, commit them:" >&2
  git status --short >&2
  status=1
fi
unformatted=$(gofmt -l api cmd config controllers hack internal offline test)
[[ -z $unformatted ]] || { echo "verify: not formatted: $unformatted" >&2; status=1; }
for module in . hack/controlplane hack/versions/v* hack/node hack/prometheus hack/policies hack/helm/v3 hack/helm/v4 hack/release hack/tools hack/tools/lint offline test/browser test/policy test/dashboard; do
  (cd "$module" && go mod tidy -diff) || { echo "verify: $module/go.mod is not tidy: run go mod tidy there" >&2; status=1; }
done
for module in . offline hack/node hack/policies hack/release test/browser test/policy test/dashboard; do (cd "$module" && go vet ./...) || status=1; done
[[ $status == 0 ]] && echo "verify: all up to date"
exit $status
