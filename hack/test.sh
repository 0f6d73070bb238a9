#!/usr/bin/env bash
# Runs go test over the packages, prints what the tests print, and ends with how many ran. GOTESTSUM_FORMAT=testname tells of
# each test as it ends, standard-verbose prints everything. MODULES lists folders of further modules, each tested as a whole.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export GOTESTSUM_FORMAT=${GOTESTSUM_FORMAT:-pkgname-and-test-fails}
report=$(mktemp)
part=$(mktemp)
trap 'rm -f "$report" "$part"' EXIT
status=0

# run FOLDER PACKAGE...: two packages at a time; two cores bear one control plane, the one of test/e2e, beside a package that
# needs none.
run() {
  (cd "$1" && "$root/.local/tools/gotestsum" --jsonfile "$part" -- -count=1 -p 2 -timeout "${TEST_TIMEOUT:-30m}" "${@:2}") || status=$?
  cat "$part" >>"$report"
}
(($# == 0)) || run . "$@"
for module in ${MODULES:-}; do run "$root/$module" ./...; done

# A test counts where it ends, subtests included; a package that does not build, or ends without a word, is a failure too.
awk -v status=$status '
  function field(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
  { action = field("Action"); package = field("Package"); test = field("Test") }
  test != "" && (action == "pass" || action == "fail" || action == "skip") { count[action]++; if (action == "fail") failing[package] = 1 }
  test == "" && action == "fail" && !(package in failing) { count["fail"]++ }
  END {
    if (status != 0 && count["fail"] == 0) count["fail"] = 1
    printf "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"]
  }' "$report"
exit "$status"
