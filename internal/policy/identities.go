package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The names of an installation that gives itself no others, as config/ has them.
const (
	DefaultNamespace      = "fonster-system"
	DefaultServiceAccount = "fonster-controller-manager"
)

// serviceAccountPrefix begins the user names of service accounts.
const serviceAccountPrefix = "system:serviceaccount:"

// Identity is who the operator of an installation is, and where. The policies name it, as text that whoever installs them has put there:
// to read it from a param would cost the API server something for each request. The zero Identity has the names of config/.
type Identity struct {
	// Namespace is the operator's own: records of what was announced, its Lease and its pods are there.
	Namespace string
	// ServiceAccount is the name of the one that it runs as.
	ServiceAccount string
}

// IdentityOf is that of a service account, by its user name. It fails for any other user.
func IdentityOf(user string) (Identity, error) {
	namespace, account, found := strings.Cut(strings.TrimPrefix(user, serviceAccountPrefix), ":")
	if !strings.HasPrefix(user, serviceAccountPrefix) || !found || namespace == "" || account == "" {
		return Identity{}, fmt.Errorf("%q is no service account", user)
	}
	return Identity{Namespace: namespace, ServiceAccount: account}, nil
}

// In is the namespace of the operator, never empty.
func (i Identity) In() string { return cmp.Or(i.Namespace, DefaultNamespace) }

// User is the user name of the operator's service account.
func (i Identity) User() string {
	return serviceAccountPrefix + i.In() + ":" + cmp.Or(i.ServiceAccount, DefaultServiceAccount)
}

// ProtectedNamespaces are never governed, whatever a selector says: a closed gate there could stop the cluster from healing itself.
func (i Identity) ProtectedNamespaces() []string {
	return []string{"kube-system", "kube-public", "kube-node-lease", i.In()}
}

// Protected says whether a namespace is one of them.
func (i Identity) Protected(namespace string) bool {
	return slices.Contains(i.ProtectedNamespaces(), namespace)
}

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
func (i Identity) ExemptUsers() []string {
	users := []string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", i.User()}
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
