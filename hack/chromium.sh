#!/usr/bin/env bash
# Makes sure that Chromium is there, which the tests of the page run in: installs it where that may be, as root with apt. Says what to do
# where it cannot.
set -uo pipefail
if command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null; then exit 0; fi
if command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
  echo "chromium: installing it"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # Without any font it draws no text.
  if (apt-get update -q && apt-get install -q -y --no-install-recommends chromium fonts-liberation) >"$log" 2>&1 && command -v chromium >/dev/null; then exit 0; fi
  tail -n 5 "$log" >&2
fi
echo "Chromium is missing, the tests of the page run in it: install the package chromium" >&2
exit 1
