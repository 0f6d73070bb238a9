package doors

import "slices"

// The operator's own place, and the namespaces that are never governed: a closed gate there could stop the cluster from
// healing itself.
const (
	OperatorNamespace      = "fonster-system"
	OperatorServiceAccount = "fonster-controller-manager"
	// OperatorUser is the user name of the operator's service account.
	OperatorUser = "system:serviceaccount:" + OperatorNamespace + ":" + OperatorServiceAccount
)

// ProtectedNamespaces are never governed, whatever a selector says.
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

// notControlPlane is true unless the control plane itself asks.
func notControlPlane() string {
	return "!(request.userInfo.username in " + list(ExemptUsers()) + ") && !('" + ExemptGroup + "' in request.userInfo.?groups.orValue([]))"
}

// notExempt is true unless the control plane itself asks, or somebody whom the administrator lets pass. params is a Gate.
func notExempt() string { return notControlPlane() + " && " + notExemptByGate() }

// notExemptByGate is true unless somebody asks whom the administrator lets pass.
func notExemptByGate() string {
	return "!(request.userInfo.username in params.spec.?exempt.?users.orValue([]))" +
		" && !params.spec.?exempt.?groups.orValue([]).exists(g, g in request.userInfo.?groups.orValue([]))"
}
