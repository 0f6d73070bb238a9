#!/usr/bin/env bash
# Makes sure that what a real node takes from Debian is there: containerd, runc, CNI plugins and nft. Installs it where that may be, as root
# with apt. Says what to do where it cannot.
set -uo pipefail
[[ $(uname -s) == Linux && $(id -u) == 0 ]] || { echo "node: a real node needs Linux and root: run it as root, or in a virtual machine" >&2; exit 1; }

packages=()
for program in containerd runc nft:nftables ip:iproute2 unshare:util-linux; do
  command -v "${program%:*}" >/dev/null || packages+=("${program#*:}")
done
[[ -x /usr/lib/cni/ptp || -x /opt/cni/bin/ptp ]] || packages+=(containernetworking-plugins)
((${#packages[@]})) || exit 0
if command -v apt-get >/dev/null; then
  echo "node: installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # No service is started: a node has a containerd of its own.
  policy=/usr/sbin/policy-rc.d ours=
  [[ -e $policy ]] || { install -m 755 /dev/stdin "$policy" <<<$'#!/bin/sh\nexit 101' && ours=$policy; }
  trap 'rm -f "$log" ${ours:+"$ours"}' EXIT
  if (apt-get update -q && apt-get install -q -y --no-install-recommends "${packages[@]}") >"$log" 2>&1; then exit 0; fi
  tail -n 5 "$log" >&2
fi
echo "node: missing: install the packages ${packages[*]} (names as in Debian)" >&2
exit 1
