#!/usr/bin/env bash
# Runs the tests of tiers, or go test over packages:
#
#   unit      what needs no control plane; where RACE is set with the race detector, if there is a C compiler, which that needs, with fewer
#             random cases, and with those of each rule in the API server's own evaluator. Everything is compiled once more for it; so a
#             package that has passed, and of which nothing has changed since, neither its files nor any that it read, is not run again
#   model     the policies in that evaluator against the model, in MODEL_CASES random cases, and against the API server's limits
#   e2e       what needs one, and the rules of Prometheus; in SHARDS parts side by side, each with a control plane of its own; of the tests
#             whose names RUN matches, or all but those of restarts and install
#   restarts  the operator is killed again and again, the control plane starts anew, etcd stands still, and Prometheus looks on
#   install   what documents tell people to type, the chart with Helm 3 and 4, and what make installs and removes; with control planes of their own
#   monkey    a namespace admin at random (docs/monkey.md)
#   browser   the page in headless Chromium, which is installed where it may be
#   node      the chart on real nodes, on Linux as root; by its name only
#   soak      what is shorter in e2e and restarts, in full: 50 kills, restarts; and the pictures of the documents, into .local/soak
#
# Without any: unit, model, e2e, restarts, install, monkey and browser. Prints the matrix of rules, one line per case, and what tests tell of their runs (lines that
# begin with matrix of rules, train, attack, monkey, node or probe), also of those that pass, which gotestsum hides; and ends with what took long,
# what failed, and how many ran. GOTESTSUM_FORMAT=testname tells of each test as it ends, standard-verbose prints everything.
#
# Exits with 1 when something failed, and with 3 when nothing did and not everything ran: then the last line says what, and why.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
gotestsum=$root/.local/tools/gotestsum
export PATH=$root/.local/bin:$PATH # where make builds what is not installed
export GOTESTSUM_FORMAT=${GOTESTSUM_FORMAT:-pkgname-and-test-fails}
report=$(mktemp)
trap 'rm -f "$report" "$report".*' EXIT
export GOGC=${GOGC:-400} # for compilers, tests and kubectl: two cores have less time than memory
status=0 missing=
timeout=${TEST_TIMEOUT:-60m}

# run FOLDER ARGUMENT...: go test in a folder, anew.
anew=(-count=1)
run() {
  (cd "$1" && "$gotestsum" --jsonfile "$report.part" -- "${anew[@]}" -timeout "$timeout" "${@:2}") || status=1
  cat "$report.part" >>"$report"
}

unit() {
  local packages cgo=0 race=()
  if [[ ${RACE:-} ]]; then
    local anew=()
    if command -v "$(go env CC)" >/dev/null; then
      cgo=1 race=(-race -short -vet=off -ldflags=-w) # make lint vets; debug information is a third of the linking
    else
      echo "unit: without the race detector, which needs a C compiler: install the package gcc"
    fi
  fi
  mapfile -t packages < <(cd "$root" && go list ./... | grep -vE '/test/(e2e|monkey|rules|bench|docs|helm|node)$')
  CGO_ENABLED=$cgo run "$root" "${race[@]}" "${packages[@]}"
  for module in offline test/dashboard; do CGO_ENABLED=$cgo run "$root/$module" "${race[@]}" ./...; done
  if [[ ${RACE:-} ]]; then MODEL_CASES=2000 CGO_ENABLED=$cgo run "$root/test/policy" "${race[@]}" -run '^Test(Cases|Compile|Model)$' ./...; fi # else by model
  run "$root/hack/release" -short ./... # what compiles every program twice is make test-release
}

# parts SHARDS [FLAG...]: the package test/e2e, in so many parts side by side.
parts() {
  local binary=$root/.local/test-bin/e2e.test part pids=()
  (cd "$root" && go test -c -o "$binary" ./test/e2e) || { status=1; return; }
  set -m # each part is a process group, to end at once
  trap 'for pid in "${pids[@]}"; do kill -- "-$pid" 2>/dev/null; done; exit 130' INT TERM
  for part in $(seq "$1"); do
    (cd "$root/test/e2e" && FONSTER_SHARD=$part/$1 exec "$gotestsum" --jsonfile "$report.part$part" --raw-command -- \
      go tool test2json -t -p fonster.dev/fonster/test/e2e "$binary" -test.v=test2json -test.timeout="$timeout" "${@:2}") &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || status=1; done
  trap - INT TERM
  set +m
  cat "$report".part?* >>"$report"
  rm "$report".part?*
}

# What restarts the control plane or kills the operator, and what installs or removes: they have tiers of their own.
restarts='^Test(Observe|OperatorLast|LeaseLost|TrainKilled|TrainAPIServerRestarts|RestartRefusesNothingUngoverned)$'
removals='^Test(InstallTellsWhatIsLeft|Undeploy|Uninstall)$'

tier() {
  case $1 in
    unit) unit ;;
    model) run "$root/test/policy" ./... ;;
    e2e)
      run "$root" ./test/rules
      if [[ ${RUN:-} ]]; then parts "${SHARDS:-3}" -test.run "$RUN"
      else parts "${SHARDS:-3}" -test.skip "$restarts|$removals"; fi
      ;;
    restarts) parts 2 -test.run "$restarts" ;;
    install)
      run "$root" -p 2 ./test/docs ./test/helm
      parts 1 -test.run "$removals"
      ;;
    monkey) run "$root" ./test/monkey ;;
    node) run "$root" ./test/node ;;
    browser)
      if "$root/hack/chromium.sh"; then run "$root/test/browser" ./...
      else missing="; not run: the tests of the page, as Chromium is missing (install the package chromium)"; fi
      ;;
    soak)
      mkdir -p "$root/.local/soak"
      FONSTER_SOAK=1 FONSTER_PICTURE=$root/.local/soak/dashboard.png parts 1 \
        -test.run '^Test(Train|TrainKilled|TrainAPIServerRestarts|RestartRefusesNothingUngoverned|OperatorLast|Observe)$'
      (cd "$root/test/browser" && go run ./screenshots "$root/.local/soak") || status=1
      ;;
    *) run "$root" "$@" ;;
  esac
}

if [[ $# == 0 || $1 =~ ^(unit|model|e2e|restarts|install|monkey|browser|node|soak)$ ]]; then
  [[ $# != 0 ]] || set -- unit model e2e restarts install monkey browser
  for name in "$@"; do
    started=$SECONDS
    echo "== $name"
    tier "$name"
    echo "== $name took $((SECONDS - started)) s"
  done
else
  tier "$@"
fi

# A test counts where it ends, subtests included; a package that does not build, or ends without a word, is a failure too.
awk -v status=$status -v missing="$missing" '
  function field(key) { return match($0, "\"" key "\":\"[^\"]*\"") ? substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5) : "" }
  { action = field("Action"); package = field("Package"); test = field("Test") }
  action == "output" && (said = field("Output")) ~ /^(matrix of rules|train |attack |monkey |node |probe )/ { sub(/\\n$/, "", said); print said }
  package ~ /\/test\/e2e$/ && test ~ /^TestRules\// && (action == "pass" || action == "fail" || action == "skip") { print action ": " substr(test, 11) }
  test != "" && (action == "pass" || action == "fail" || action == "skip") { count[action]++; if (action == "fail") { failing[package] = 1; failed[++failures] = package " " test } }
  test != "" && test !~ /\// && match($0, /"Elapsed":[0-9.]+/) && (elapsed = substr($0, RSTART + 10, RLENGTH - 10) + 0) >= 10 { took[++long] = sprintf("took %4d s: %s %s", elapsed, package, test) }
  test == "" && action == "fail" && !(package in failing) { count["fail"]++; failed[++failures] = package }
  END {
    for (i = 1; i <= long; i++) print took[i] | "sort -k2,2nr"
    close("sort -k2,2nr")
    for (i = 1; i <= failures; i++) print "failed: " failed[i]
    if (status != 0 && count["fail"] == 0) count["fail"] = 1
    printf "%d passed, %d failed, %d skipped%s\n", count["pass"], count["fail"], count["skip"], missing
  }' "$report"
[[ $status == 0 && $missing ]] && exit 3
exit "$status"
