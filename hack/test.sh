#!/usr/bin/env bash
# Runs go test over the packages; prints the matrix of rules, one line per case, and what tests tell of their runs (lines that begin with
# matrix of rules, train, attack, monkey or probe), also of those that pass, which gotestsum hides; and ends with what failed and how many ran. Without
# packages: every test, those of the modules below test/ and offline/ included. GOTESTSUM_FORMAT=testname tells of each test as it ends,
# standard-verbose prints everything.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GOTESTSUM_FORMAT=${GOTESTSUM_FORMAT:-pkgname-and-test-fails}
report=$(mktemp)
trap 'rm -f "$report" "$report".*' EXIT
status=0

# run FOLDER PACKAGE...: two packages at a time; two cores bear one control plane, the one of test/e2e, beside a package that
# needs none.
run() {
  (cd "$1" && "$root/.local/tools/gotestsum" --jsonfile "$report.part" -- -count=1 -p 2 -timeout "${TEST_TIMEOUT:-60m}" "${@:2}") || status=$?
  cat "$report.part" >>"$report"
}

# ours PACKAGE...: those of the main module. The monkey has a control plane of its own and keeps it busy, so it plays alone, last.
ours() {
  local packages monkey=
  mapfile -t packages < <(cd "$root" && go list "$@")
  for i in "${!packages[@]}"; do
    if [[ ${packages[i]} == */test/monkey ]]; then
      monkey=${packages[i]}
      unset "packages[i]"
    fi
  done
  if ((${#packages[@]})) || [[ -z $monkey ]]; then run "$root" "${packages[@]}"; fi
  if [[ $monkey ]]; then run "$root" "$monkey"; fi
}

if [[ $# == 1 && -f $root/$1/go.mod ]]; then # a module
  run "$root/$1" ./...
elif (($#)); then
  ours "$@"
else
  ours ./...
  for module in "$root"/offline/go.mod "$root"/test/*/go.mod; do run "${module%/go.mod}" ./...; done
  run "$root/hack/release" -short ./... # what compiles every program twice is make test-release
fi

# A test counts where it ends, subtests included; a package that does not build, or ends without a word, is a failure too.
awk -v status=$status '
  function field(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
  { action = field("Action"); package = field("Package"); test = field("Test") }
  action == "output" && (said = field("Output")) ~ /^(matrix of rules|train |attack |monkey |probe )/ { sub(/\\n$/, "", said); print said }
  package ~ /\/test\/e2e$/ && test ~ /^TestRules\// && (action == "pass" || action == "fail" || action == "skip") { print action ": " substr(test, 11) }
  test != "" && (action == "pass" || action == "fail" || action == "skip") { count[action]++; if (action == "fail") { failing[package] = 1; failed[++failures] = package " " test } }
  test == "" && action == "fail" && !(package in failing) { count["fail"]++; failed[++failures] = package }
  END {
    for (i = 1; i <= failures; i++) print "failed: " failed[i]
    if (status != 0 && count["fail"] == 0) count["fail"] = 1
    printf "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"]
  }' "$report"
exit "$status"
