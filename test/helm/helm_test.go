// Package helm tests the chart with real Helm, 3 and 4: what it renders, and what becomes of a cluster from the installation to the removal.
package helm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// chart is the folder of the chart.
var chart = filepath.Join(cluster.Root(), "charts/fonster")

// helm runs a version of Helm.
type helm struct {
	version    string
	home       string
	kubeconfig string
}

// both are Helm 3 and 4.
func both(t *testing.T) []*helm {
	t.Helper()
	var list []*helm
	for _, version := range []string{"3", "4"} {
		h := &helm{version: version, home: t.TempDir()}
		if _, err := os.Stat(h.program()); err != nil {
			t.Fatalf("Helm %s is missing (run make helm): %v", version, err)
		}
		list = append(list, h)
	}
	return list
}

func (h *helm) program() string {
	return filepath.Join(cluster.Root(), ".local/bin/helm"+h.version)
}

// run runs Helm, and returns what it printed on both streams.
func (h *helm) run(args ...string) (string, error) {
	command := exec.Command(h.program(), args...)
	command.Env = append(os.Environ(), "HELM_CACHE_HOME="+h.home, "HELM_CONFIG_HOME="+h.home, "HELM_DATA_HOME="+h.home, "KUBECONFIG="+h.kubeconfig)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return out.String() + errs.String(), fmt.Errorf("helm%s %s: %w\n%s%s", h.version, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// everything are the values with which nothing is left out.
var everything = []string{
	"--set", "mutating=true,page.ingress.enabled=true,page.ingress.hosts={servicefonster.example.se},prometheus.serviceMonitor.enabled=true",
	"--set", "prometheus.rules.enabled=true,prometheus.serviceAccount.name=prometheus-k8s,prometheus.serviceAccount.namespace=monitoring",
	"--set", "grafana.dashboard.enabled=true,exemptUsers={system:serviceaccount:databases:operator},leaderLabels={leader},page.audiences.heby=Heby",
	"--set-string", "page.contact=IT-Centrum\\, 0174-123 45", "--set", "page.url=https://servicefonster.example.se/,nodeSelector.disk=ssd,imagePullSecrets[0].name=registry",
}

// minor is the version of Kubernetes that is rendered for; a Helm 3 that is built without its release's flags takes it for 1.20.
var minor = []string{"--kube-version", "1.37.2"}

// rendered is what the chart comes to, by kind, namespace and name; without hooks.
func rendered(t *testing.T, h *helm, namespace string, args ...string) map[string]*unstructured.Unstructured {
	t.Helper()
	out, err := h.run(append([]string{"template", "some-release", chart, "-n", namespace, "--no-hooks"}, append(minor, args...)...)...)
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, out)
}

func objects(t *testing.T, manifest string) map[string]*unstructured.Unstructured {
	t.Helper()
	all := map[string]*unstructured.Unstructured{}
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, manifest)
		}
		if len(o.Object) > 0 {
			all[o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName()] = o
		}
	}
}

// TestLint: Helm finds nothing, whatever is turned on.
func TestLint(t *testing.T) {
	for _, h := range both(t) {
		for _, args := range [][]string{nil, everything} {
			if out, err := h.run(append([]string{"lint", "--strict", chart}, args...)...); err != nil || strings.Contains(out, "[WARNING]") {
				t.Errorf("%v\n%s", err, out)
			}
		}
	}
}

// TestSchema: what is no value is refused, with its name.
func TestSchema(t *testing.T) {
	for _, h := range both(t) {
		for value, name := range map[string]string{
			"replica=3": "replica", "replicas=0": "replicas", "page.replicas=two": "replicas", "mutating=perhaps": "mutating", "image.digest=latest": "digest",
			"page.url=servicefonster": "url", "page.ingress.enabled=true": "hosts", "networkPolicy.apiServerPorts={api}": "apiServerPorts",
			"prometheus.serviceAccount.name=p": "namespace", "removal.patience=soon": "patience", "page.colour=red": "colour",
			"exemptUsers[0]=a\\,b": "exemptUsers",
		} {
			out, err := h.run(append([]string{"template", chart, "--set", value}, minor...)...)
			if err == nil || !strings.Contains(out, name) {
				t.Errorf("helm%s --set %s: %v", h.version, value, err)
			}
		}
	}
}

// kustomized is what config/default comes to.
func kustomized(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	out, err := exec.Command(filepath.Join(cluster.Root(), ".local/bin/kubectl"), "kustomize", filepath.Join(cluster.Root(), "config/default")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return objects(t, string(out))
}

// orNone is nil for a map without entries.
func orNone(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// plain takes away what the chart writes otherwise than config: labels that say who has installed it.
func plain(o *unstructured.Unstructured) map[string]any {
	c := o.DeepCopy()
	labels := c.GetLabels()
	for _, key := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "app.kubernetes.io/name", "helm.sh/chart"} {
		delete(labels, key)
	}
	c.SetLabels(orNone(labels))
	annotations := c.GetAnnotations()
	delete(annotations, "helm.sh/resource-policy")
	c.SetAnnotations(orNone(annotations))
	if c.GetKind() == "Deployment" {
		containers, _, _ := unstructured.NestedSlice(c.Object, "spec", "template", "spec", "containers")
		delete(containers[0].(map[string]any), "image")
		delete(containers[0].(map[string]any), "imagePullPolicy")
		_ = unstructured.SetNestedSlice(c.Object, containers, "spec", "template", "spec", "containers")
	}
	return c.Object
}

// TestTemplateIsConfig: where nothing is set, and in the usual namespace, the chart installs what make deploy does.
func TestTemplateIsConfig(t *testing.T) {
	want := kustomized(t)
	delete(want, "Namespace /fonster-system")
	for _, h := range both(t) {
		got := rendered(t, h, policy.DefaultNamespace, "--set", "mutating=true")
		if got["NetworkPolicy fonster-system/fonster-controller-manager"] == nil {
			t.Error("the operator has no NetworkPolicy")
		}
		delete(got, "NetworkPolicy fonster-system/fonster-controller-manager")
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
			t.Fatalf("helm%s: -config +chart:\n%s", h.version, diff)
		}
		for key, o := range want {
			if diff := cmp.Diff(plain(o), plain(got[key])); diff != "" {
				t.Errorf("helm%s: %s: -config +chart:\n%s", h.version, key, diff)
			}
		}
	}
}

// specOf is the typed spec of a policy or binding.
func specOf(t *testing.T, o *unstructured.Unstructured) any {
	t.Helper()
	into := func(typed any) {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, typed); err != nil {
			t.Fatal(err)
		}
	}
	switch o.GetKind() {
	case policy.Validating:
		var p admissionv1.ValidatingAdmissionPolicy
		into(&p)
		return p.Spec
	case policy.ValidatingBinding:
		var p admissionv1.ValidatingAdmissionPolicyBinding
		into(&p)
		return p.Spec
	case policy.Mutating:
		var p admissionv1.MutatingAdmissionPolicy
		into(&p)
		return p.Spec
	case policy.MutatingBinding:
		var p admissionv1.MutatingAdmissionPolicyBinding
		into(&p)
		return p.Spec
	}
	return nil
}

// TestPoliciesOfAnotherNamespace: the operator of another namespace knows its policies, that of the usual one does not.
func TestPoliciesOfAnotherNamespace(t *testing.T) {
	for _, h := range both(t) {
		all, found := rendered(t, h, "window-cleaners", "--set", "mutating=true"), 0
		own := policy.Identity{Namespace: "window-cleaners"}
		foreign := 0
		for key, o := range all {
			if text := fmt.Sprint(o.Object); strings.Contains(text, policy.DefaultNamespace) {
				t.Errorf("%s names %s", key, policy.DefaultNamespace)
			}
			spec := specOf(t, o)
			if spec == nil {
				continue
			}
			found++
			want := policy.Installed()[o.GetKind()][o.GetName()]
			if hash, err := policy.Digest(spec, own); err != nil || hash != want {
				t.Errorf("%s is not what the operator expects: %v", key, err)
			}
			if hash, _ := policy.Digest(spec, policy.Identity{}); hash != want {
				foreign++
			}
		}
		if wanted := len(policy.Installed()[policy.Validating]) + len(policy.Installed()[policy.ValidatingBinding]) + len(policy.Installed()[policy.Mutating]) +
			len(policy.Installed()[policy.MutatingBinding]); found != wanted || foreign < 10 {
			t.Errorf("helm%s: %d policies and bindings, want %d; %d of them name the operator", h.version, found, wanted, foreign)
		}
	}
}

// TestVariants: what values and the API server decide.
func TestVariants(t *testing.T) {
	const mutating = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
	count := func(all map[string]*unstructured.Unstructured, prefix string) (n int) {
		for key := range all {
			if strings.HasPrefix(key, prefix) {
				n++
			}
		}
		return n
	}
	for _, h := range both(t) {
		for _, tc := range []struct {
			args   []string
			prefix string
			want   int
		}{
			{nil, "MutatingAdmissionPolicy", 0},
			{[]string{"--api-versions", mutating}, "MutatingAdmissionPolicy", 8},
			{[]string{"--api-versions", mutating, "--set", "mutating=false"}, "MutatingAdmissionPolicy", 0},
			{[]string{"--set", "page.enabled=false"}, "Deployment", 1},
			{[]string{"--set", "page.enabled=false"}, "NetworkPolicy", 1},
			{[]string{"--set", "networkPolicy.enabled=false"}, "NetworkPolicy", 0},
			{[]string{"--set", "podDisruptionBudget.enabled=false"}, "PodDisruptionBudget", 0},
			{[]string{"--set", "crds.enabled=false"}, "CustomResourceDefinition", 0},
			{nil, "CustomResourceDefinition", 3},
			{nil, "Ingress", 0},
			{everything, "Ingress", 1},
			{everything, "ServiceMonitor", 1},
			{everything, "PrometheusRule", 1},
			{everything, "ConfigMap", 1},
			{[]string{"--set", "viewers.everybody=false"}, "ClusterRoleBinding /fonster-viewers", 0},
		} {
			if n := count(rendered(t, h, "somewhere", tc.args...), tc.prefix); n != tc.want {
				t.Errorf("helm%s %v: %d of %s, want %d", h.version, tc.args, n, tc.prefix, tc.want)
			}
		}
		all := rendered(t, h, "somewhere", everything...)
		if args := fmt.Sprint(all["Deployment somewhere/fonster-page"]); !strings.Contains(args, "--page-contact=IT-Centrum, 0174-123 45") || !strings.Contains(args, "--page-audiences=heby=Heby") {
			t.Error(args)
		}
		if args := fmt.Sprint(all["Deployment somewhere/fonster-controller-manager"]); !strings.Contains(args, "--exempt-users=system:serviceaccount:databases:operator") || !strings.Contains(args, "disk:ssd") {
			t.Error(args)
		}
		for key, o := range all {
			if keep := o.GetAnnotations()["helm.sh/resource-policy"] == "keep"; keep != (o.GetKind() == "CustomResourceDefinition") {
				t.Errorf("%s is kept: %t", key, keep)
			}
		}
	}
}
