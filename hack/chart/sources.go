package main

// Conditions under which parts are installed.
const (
	withCRDs     = ".Values.crds.enabled"
	withPage     = ".Values.page.enabled"
	withMutating = `eq (include "fonster.mutating" .) "true"`
	withMonitor  = ".Values.prometheus.serviceMonitor.enabled"
	withRules    = ".Values.prometheus.rules.enabled"
	withReader   = ".Values.prometheus.serviceAccount.name"
)

// sources are the templates of the chart that are made of config.
var sources = []source{
	{to: "crds.yaml", from: []string{"crd/bases/*.yaml"}, when: withCRDs},
	{to: "policies.yaml", from: []string{"policies/policies.yaml", "policies/bindings.yaml"}},
	{to: "mutating.yaml", from: []string{"mutating/policies.yaml", "mutating/bindings.yaml"}, when: withMutating},
	{to: "rbac.yaml", from: []string{
		"rbac/service_account.yaml", "rbac/role.yaml", "rbac/role_binding.yaml", "rbac/leader_election.yaml", "rbac/metrics_auth_role.yaml",
		"rbac/metrics_reader_role.yaml", "rbac/user_roles.yaml",
	}},
	{to: "viewers.yaml", from: []string{"viewers/everybody.yaml"}, when: ".Values.viewers.everybody"},
	{to: "manager.yaml", from: []string{"manager/manager.yaml"}, only: map[string]string{
		"PodDisruptionBudget fonster-controller-manager": ".Values.podDisruptionBudget.enabled",
	}, edits: map[string][]edit{
		"Deployment fonster-controller-manager": append(pods(".Values"),
			edit{"spec.template.spec.containers.0.args", block(`include "fonster.operatorArgs" .`)},
			edit{"spec.template.spec.priorityClassName", optional(".Values.priorityClassName")}),
	}},
	{to: "page.yaml", from: []string{"rbac/page.yaml", "page/page.yaml"}, when: withPage, only: map[string]string{
		"PodDisruptionBudget fonster-page": ".Values.podDisruptionBudget.enabled",
	}, edits: map[string][]edit{
		"Deployment fonster-page": append(pods(".Values.page"),
			edit{"spec.template.spec.containers.0.args", block(`include "fonster.pageArgs" .`)},
			edit{"spec.template.spec.priorityClassName", optional(".Values.page.priorityClassName")}),
	}},
	{to: "page_network_policy.yaml", from: []string{"page/network_policy.yaml"}, when: "and " + withPage + " .Values.networkPolicy.enabled", edits: map[string][]edit{
		"NetworkPolicy fonster-page": {{"spec.egress.0.ports", block(`include "fonster.apiServerPorts" .`)}},
	}},
	{to: "servicemonitor.yaml", from: []string{"prometheus/servicemonitor.yaml"}, when: withMonitor, edits: map[string][]edit{
		"ServiceMonitor fonster": {{"spec.endpoints.0.interval", value(".Values.prometheus.serviceMonitor.interval")}},
	}},
	{to: "prometheusrule.yaml", from: []string{"prometheus/prometheusrule.yaml"}, when: withRules},
	{to: "metrics_reader.yaml", from: []string{"prometheus/metrics-reader.yaml"}, when: withReader, edits: map[string][]edit{
		"ClusterRoleBinding fonster-metrics-reader": scraper,
		"RoleBinding fonster-metrics-discovery":     scraper,
	}},
}

// scraper is whoever reads the metrics.
var scraper = []edit{
	{"subjects.0.name", value(".Values.prometheus.serviceAccount.name")},
	{"subjects.0.namespace", value(".Values.prometheus.serviceAccount.namespace")},
}

// pods are the edits of a Deployment, by values that stand below a path.
func pods(values string) []edit {
	return []edit{
		{"spec.replicas", value(values + ".replicas")},
		{"spec.template.spec.imagePullSecrets", optional(".Values.imagePullSecrets")},
		{"spec.template.spec.nodeSelector", optional(values + ".nodeSelector")},
		{"spec.template.spec.tolerations", optional(values + ".tolerations")},
		{"spec.template.spec.affinity", optional(values + ".affinity")},
		{"spec.template.spec.containers.0.image", value(`include "fonster.image" .`)},
		{"spec.template.spec.containers.0.imagePullPolicy", value(".Values.image.pullPolicy")},
		{"spec.template.spec.containers.0.resources", block("toYaml " + values + ".resources")},
	}
}
