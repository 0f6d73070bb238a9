#!/usr/bin/env bash
# Builds Prometheus and Alertmanager from the modules pinned in go.mod, into .local/bin, where one of them or of their tools is not
# installed. They are for the tests: without pages of their own, and with no ways to find targets but files and lists of them.
# Alertmanager is named as Debian names it.
set -euo pipefail
source "$(dirname "$0")/../modules.sh"

prometheus=(github.com/prometheus/prometheus/cmd/{prometheus,promtool})
alertmanager=github.com/prometheus/alertmanager/cmd
all=(prometheus promtool prometheus-alertmanager amtool)
missing=()
for name in "${all[@]}"; do PATH=${PATH//"$bin:"/} command -v "$name" >/dev/null || missing+=("$name"); done
[[ ${#missing[@]} != 0 ]] || exit 0
programs prometheus "${all[@]}"

flags=(-ldflags "-s -w" -tags remove_all_sd)
echo "prometheus: not installed: ${missing[*]}. Building $(go list -m -f 'Prometheus {{.Version}}' github.com/prometheus/prometheus), $(go list -m -f 'Alertmanager {{.Version}}' github.com/prometheus/alertmanager); some minutes the first time on two cores"
total "${prometheus[@]}" "$alertmanager/alertmanager" "$alertmanager/amtool"
build "$bin/" "${prometheus[@]}"
build "$bin/prometheus-alertmanager" "$alertmanager/alertmanager"
build "$bin/amtool" "$alertmanager/amtool"
built
