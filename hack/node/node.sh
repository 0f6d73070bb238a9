#!/usr/bin/env bash
# Starts and stops a cluster with real nodes: kubelet, containerd, runc and CNI as in a real cluster, two of each, kube-proxy, a control plane
# and a registry of images. Linux, as root.
#
#   node.sh up              starts it; one that runs is left as it is
#   node.sh run COMMAND...  runs a command where the cluster is, with its kubeconfig: elsewhere it cannot be reached
#   node.sh down
#
# All of it is in namespaces of its own, of processes, network and mounts: it listens nowhere on the machine, has no way out of it, touches no
# containerd that runs there, and ends with its first process. On disk are .local/node and, while it runs, its cgroups and empty
# folders that it mounts on.
#
# There is no DNS, as there is no image of it; NetworkPolicies are accepted and, with the CNI plugin ptp, enforced by nobody.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$root/.local/bin
folder=$root/.local/node
verb=${1:-}
[[ $verb =~ ^(up|run|down|inside|node)$ ]] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shift
export PATH=$bin:$PATH

cluster=node nodes=(node-1 node-2)
control_plane=$root/.local/kwok/clusters/$cluster identities=$root/.local/kwok/identities/$cluster
cgroup=fonster-$(cksum <<<"$root" | cut -d' ' -f1)
# Addresses of the API server and of the nodes are 10.88.0.N, of pods 10.89.N.M, with node N.
api_server=10.88.0.254 pods=10.89.0.0/16 services=10.96.0.0/16 registry=127.0.0.1:5000
# What programs keep where it cannot be chosen.
mounts=(/run /var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers)
# What a kubelet wants of the kernel, and would set for the whole machine.
kernel=(vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000)

# first is the process outside, with which the namespaces end; empty where none runs.
first() {
  local pid
  pid=$(cat "$folder/pid" 2>/dev/null) || return 0
  # A pid file may be older than the process that has its number now.
  if [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == *"$here/node.sh inside"* ]]; then echo "$pid"; fi
}

cgroups() { find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$cgroup"; }

down() {
  local pid path
  pid=$(first)
  if [[ $pid ]]; then
    kill -9 "$pid"
    while [[ -d /proc/$pid ]]; do sleep 0.05; done
  fi
  # The last process is gone when no cgroup has one.
  for _ in $(seq 100); do
    for path in $(cgroups); do find "$path" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
    [[ $(cgroups) ]] || break
    sleep 0.1
  done
  [[ ! -d $folder ]] || for path in $(cat "$folder/made" 2>/dev/null); do rmdir "$path" 2>/dev/null || true; done
  [[ ! -d $control_plane ]] || "$root/hack/controlplane/cluster.sh" down "$cluster"
  rm -rf "$folder"
  [[ ! $(cgroups) ]] || { echo "node: left behind: $(cgroups | tr '\n' ' ')" >&2; exit 1; }
}

up() {
  local pid path
  "$here/packages.sh" >&2
  "$root/hack/controlplane/build.sh" >&2
  "$here/build.sh" >&2
  if [[ $(first) && -f $folder/ready ]]; then return; fi
  down # what a crash may have left
  mkdir -p "$folder"
  for path in "${mounts[@]}"; do
    [[ -d $path ]] || { mkdir -p "$path"; echo "$path" >>"$folder/made"; }
  done
  setsid unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private \
    "$here/node.sh" inside </dev/null >"$folder/log" 2>&1 &
  pid=$!
  echo "$pid" >"$folder/pid"
  while [[ ! -f $folder/ready ]]; do
    [[ -d /proc/$pid ]] || { failed "it ended"; }
    ((SECONDS < 180)) || failed "it is not ready after $SECONDS s"
    sleep 0.2
  done
  echo "node: ${nodes[*]} are ready, $SECONDS s" >&2
}

# failed shows what the parts have last said, and ends.
failed() {
  local file
  for file in "$folder"/log "$folder"/*.log "$folder"/*/*.log "$control_plane"/logs/*.log; do
    if [[ -s $file ]]; then echo "== $file"; tail -n 15 "$file"; fi
  done >&2
  down
  echo "node: could not start: $1" >&2
  exit 1
}

run() {
  local pid
  pid=$(first)
  [[ $pid && -f $folder/ready ]] || { echo "node: none runs: start it with hack/node/node.sh up" >&2; exit 1; }
  KUBECONFIG=$folder/kubeconfig exec nsenter --mount="/proc/$pid/ns/mnt" --net="/proc/$pid/ns/net" --pid="/proc/$pid/ns/pid_for_children" --wd="$PWD" "$@"
}

# inside is the first process of the namespaces: it starts everything, and takes in what loses its parent.
inside() {
  local n fact path
  trap 'exit 0' TERM INT
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir /run/kernel
  for fact in "${kernel[@]}"; do
    path=/run/kernel/$(tr / . <<<"${fact%=*}")
    echo "${fact#*=}" >"$path"
    [[ ! -e /proc/sys/${fact%=*} ]] || mount --bind "$path" "/proc/sys/${fact%=*}"
  done
  ip link set lo up
  ip address add "$api_server/32" dev lo
  for n in "${!nodes[@]}"; do ip address add "10.88.0.$((n + 1))/32" dev lo; done
  ip route add "$services" dev lo src "$api_server" # kube-proxy turns them to pods
  for path in /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs; do
    [[ ! -e $path ]] || mkdir -p "$(dirname "$path")/$cgroup"
  done
  registry -address "$registry" pause="$bin/pause" web="$bin/web" >"$folder/registry.log" 2>&1 &
  echo "the control plane, $SECONDS s"
  NODES="${nodes[*]}" CERTIFICATE_NAMES="$api_server 10.96.0.1" KUBECONFIG_OUT=$folder/kubeconfig \
    API_SERVER_ARGS="bind-address=0.0.0.0 advertise-address=$api_server service-cluster-ip-range=$services kubelet-preferred-address-types=InternalIP kubelet-client-certificate=$control_plane/pki/admin.crt kubelet-client-key=$control_plane/pki/admin.key" \
    "$root/hack/controlplane/cluster.sh" up "$cluster"
  echo "the nodes, $SECONDS s"
  for n in "${!nodes[@]}"; do
    unshare --mount --propagation private "$here/node.sh" node "${nodes[n]}" $((n + 1)) &
  done
  proxy
  for n in "${nodes[@]}"; do
    until kubectl --kubeconfig "$folder/kubeconfig" get node "$n" >/dev/null 2>&1; do sleep 0.2; done
  done
  kubectl --kubeconfig "$folder/kubeconfig" wait --for=condition=Ready node --all --timeout=120s
  echo "ready, $SECONDS s"
  touch "$folder/ready"
  while :; do sleep 1000 & wait $!; done
}

# proxy starts kube-proxy: one, as the nodes share a network. What it would set of the machine's table of connections it leaves.
proxy() {
  cat >"$folder/kube-proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: ${nodes[0]}
clusterCIDR: $pods
clientConnection: {kubeconfig: "$identities/kube-proxy.kubeconfig"}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
  kube-proxy --config "$folder/kube-proxy.yaml" >"$folder/kube-proxy.log" 2>&1 &
}

# node NAME NUMBER runs containerd and kubelet, in a namespace of mounts of its own.
node() {
  local name=$1 number=$2 home=$folder/$1 path snapshotter=overlayfs plugins=/usr/lib/cni
  mkdir -p "$home"/{containerd,kubelet,cni,lower,upper,work,merged}
  for path in "${mounts[@]}"; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
  mount --bind "$home/kubelet" /var/lib/kubelet
  # Where the repository is itself on an overlay, layers are copied.
  if mount -t overlay -o "lowerdir=$home/lower,upperdir=$home/upper,workdir=$home/work" overlay "$home/merged" 2>/dev/null; then umount "$home/merged"
  else snapshotter=native; fi
  [[ -x $plugins/ptp ]] || plugins=/opt/cni/bin
  cat >"$home/cni/10-node.conflist" <<END
{"cniVersion": "0.4.0", "name": "node", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": "10.89.$number.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
]}
END
  cat >"$home/containerd.toml" <<END
version = 2
root = "$home/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$registry/pause:1"
restrict_oom_score_adj = true # it may not be allowed to lower its own
disable_apparmor = true # its profile would be loaded into the kernel
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "$plugins"
conf_dir = "$home/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "$snapshotter"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
END
  # Without cgroups of its own for pods of each class, and on old cgroups: a sandbox may have no others.
  cat >"$home/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 10.88.0.$number
healthzBindAddress: 10.88.0.$number
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: "$control_plane/pki/ca.crt"}}
authorization: {mode: Webhook}
clusterDNS: [10.96.0.10]
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
cgroupsPerQOS: false
enforceNodeAllocatable: []
failCgroupV1: false
failSwapOn: false
evictionHard: {memory.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
imageGCHighThresholdPercent: 100
END
  containerd --config "$home/containerd.toml" >"$home/containerd.log" 2>&1 &
  until [[ -S /run/containerd/containerd.sock ]]; do sleep 0.1; done
  kubelet --config "$home/kubelet.yaml" --kubeconfig "$identities/node:$name.kubeconfig" --hostname-override "$name" --node-ip "10.88.0.$number" \
    >"$home/kubelet.log" 2>&1
  echo "the kubelet of $name ended"
}

"$verb" "$@"
