package policy

import "slices"

// The operator's own place.
const (
	OperatorNamespace      = "fonster-system"
	OperatorServiceAccount = "fonster-controller-manager"
	// OperatorUser is the user name of the operator's service account.
	OperatorUser = "system:serviceaccount:" + OperatorNamespace + ":" + OperatorServiceAccount
)

// ProtectedNamespaces are never governed, whatever a selector says: a closed gate there could stop the cluster from healing itself.
var ProtectedNamespaces = []string{"kube-system", "kube-public", "kube-node-lease", OperatorNamespace}

// Protected says whether a namespace is one of them.
func Protected(namespace string) bool { return slices.Contains(ProtectedNamespaces, namespace) }

// controllers are the service accounts that kube-controller-manager uses with --use-service-account-credentials, as far as
// they delete or change pods, workloads or what belongs to them.
var controllers = []string{
	"deployment-controller", "replicaset-controller", "statefulset-controller", "daemon-set-controller", "job-controller",
	"cronjob-controller", "replication-controller", "generic-garbage-collector", "namespace-controller", "node-controller",
	"pod-garbage-collector", "ttl-after-finished-controller", "disruption-controller", "horizontal-pod-autoscaler",
	"device-taint-eviction-controller",
}

// ExemptUsers lists the control plane's own identities, which always pass, by exact name. A prefix would not do: whoever may
// create a service account in kube-system would pass. system:masters does not pass.
func ExemptUsers() []string {
	users := []string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", OperatorUser}
	for _, name := range controllers {
		users = append(users, "system:serviceaccount:kube-system:"+name)
	}
	return users
}

// ExemptGroup is the group of the kubelets.
const ExemptGroup = "system:nodes"

// WorkloadLabels are those by which workloads know their pods. One that gains or changes such a label may be adopted, released or taken
// for outdated, and is then replaced, whoever writes it.
var WorkloadLabels = []string{
	"pod-template-hash", "controller-revision-hash", "pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
}

// LeaderLabels are the labels by which databases and the like mark their leader, from within the pods.
var LeaderLabels = []string{
	"role",                                                                    // Patroni
	"spilo-role",                                                              // Spilo, the operator of Zalando
	"postgres-operator.crunchydata.com/role",                                  // the operators of Crunchy Data and Percona
	"cnpg.io/instanceRole",                                                    // CloudNativePG
	"kubedb.com/role",                                                         // KubeDB
	"vault-active", "vault-sealed", "vault-initialized", "vault-perf-standby", // HashiCorp Vault
	"openbao-active", "openbao-sealed", "openbao-initialized", "openbao-perf-standby", // OpenBao
}
