#!/usr/bin/env bash
# Fails, and says what to do, while any rollout is held in the cluster of KUBECONFIG: without the operator nobody would release it.
set -euo pipefail
mark=maintenance.fonster.dev/held
held=$(kubectl get deployments.apps,statefulsets.apps,daemonsets.apps -A -l "$mark=true" \
  -o 'jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name} ({.kind}.apps/{.metadata.name}): {.metadata.labels.maintenance\.fonster\.dev/held}{"\n"}{end}' |
  sed -e 's/(Deployment\./(deployment./;s/(StatefulSet\./(statefulset./;s/(DaemonSet\./(daemonset./;s/: true$/: held/')
[[ -z $held ]] && exit 0
cat >&2 <<END
Rollouts are held, and without the operator nobody would release them:
$held
Let the operator release them first: open the windows they wait for, change their enforcement to Warn, or delete them
('kubectl window held' tells which). Then try again.
END
exit 1
