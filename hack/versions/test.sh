#!/usr/bin/env bash
# Tests on real API servers and controllers of other versions of Kubernetes, one after another: test.sh 1.34 1.36. Builds each where it is
# not up to date, and runs on it the matrix of rules, holds and overrides; where mutating policies are missing, what is there instead.
# Ends with a table; what the tests printed is in .local/versions. Exits with 1 when a version failed.
# PARTS="hold override" runs only these of rules, hold and override.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
logs=$root/.local/versions
(($#)) || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }

rules='Version|TypeChecking|Invalid|TenThousandDates|Rules|DeleteCollection|MidRollout|Identities|ProtectedNamespaces|Edges'
rules+='|ClosedStaysClosed|OpenClosesByTheClock|ForgedClock|TwoWritesInOneSecond|LargeObjects|GateGuard|NamespaceGuard|Healing|Drain'
hold='Version|Hold|Release|ServerSideApplyNeverConflicts|HoldAndWrittenStrategies|HoldPartitionMark|OverrideOfTheHeld|UndoUnderHold'
override='Version|Overrides|OverrideCommand|OverrideInAFreeze|UndoAfterAnOverride|ForgedEndOnTheUngoverned|VanishedWhileNoLeaderRan'

# tests VERSION COLUMN prints which tests are to run, as go test -run has them.
tests() {
  if [[ $2 == rules || ${1#1.} -ge 36 ]]; then echo "^Test(${!2})\$"
  else echo "^Test(Version|WithoutMutatingPolicies)\$/^$2"; fi # Version has no parts
}

# column VERSION COLUMN runs them, and sets cell to what became of them.
column() {
  local log=$logs/$1-$2.log counts began=$SECONDS
  echo "Kubernetes $1: $2, some minutes"
  KUBERNETES=$1 "$root/hack/test.sh" -run "$(tests "$1" "$2")" ./test/e2e >"$log" 2>&1
  local status=$?
  counts=$(tail -n 1 "$log")
  echo "Kubernetes $1: $2: $counts, $((SECONDS - began)) s"
  if [[ $status == 0 && $counts =~ ^([1-9][0-9]*)\ passed,\ 0\ failed,\ ([0-9]+)\ skipped$ ]]; then
    cell="${BASH_REMATCH[1]} passed"
    [[ ${BASH_REMATCH[2]} == 0 ]] || cell+=", ${BASH_REMATCH[2]} skipped"
    return
  fi
  cell="**failed**: $counts"
  failed+=("$1 ($2)")
  grep -E '^failed: |^(=== )?FAIL' "$log" | head -n 20
  echo "Kubernetes $1: all that it printed is in $log"
}

failed=() table=()
for version in "$@"; do
  mkdir -p "$logs"
  if ! "$here/build.sh" "$version"; then
    failed+=("$version (build)")
    table+=("| $version | $(date -u +%F) | **not built** | | |")
    continue
  fi
  folder=$here/v$version
  [[ -d $folder ]] || folder=$root/hack/controlplane
  full=$(cd "$folder" && go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
  line="| ${full#v} | $(date -u +%F) |"
  for name in rules hold override; do
    [[ " ${PARTS:-rules hold override} " == *" $name "* ]] || { line+=" |"; continue; }
    column "$version" "$name"
    if [[ $name == hold && ${version#1.} -lt 36 ]]; then cell="refuses as \`Deny\` does: $cell"; fi
    line+=" $cell |"
  done
  table+=("$line")
done
printf '\n| Kubernetes | tested on | rules | Hold | overrides |\n|---|---|---|---|---|\n'
printf '%s\n' "${table[@]}"
if ((${#failed[@]})); then
  (IFS=,; echo "versions: failed: ${failed[*]}" >&2)
  exit 1
fi
