#!/usr/bin/env bash
# Runs go test over the packages, prints what the tests print, and ends with how many ran.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
report=$(mktemp)
trap 'rm -f "$report"' EXIT

# One package at a time on the control plane: two cores bear one cluster under load.
"$root/.local/tools/gotestsum" --format pkgname-and-test-fails --jsonfile "$report" -- -count=1 -p 2 -timeout "${E2E_TIMEOUT:-30m}" "$@"
status=$?

# A test counts where it ends, subtests included.
count() { grep -c "\"Action\":\"$1\".*\"Test\":" "$report" || true; }
echo "$(count pass) passed, $(count fail) failed, $(count skip) skipped"
exit $status
