package main

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/internal/policy"
)

// TestPoliciesKnowTheirOperator: what Helm makes of the policies for another namespace is what the operator there expects, whatever YAML has
// folded.
func TestPoliciesKnowTheirOperator(t *testing.T) {
	own := policy.Identity{Namespace: "a-namespace-with-a-longer-name"}
	fill := strings.NewReplacer(`{{ include "fonster.operatorUser" . }}`, own.User(), "{{ .Release.Namespace }}", own.Namespace)
	text, err := read("../../config", "policies/policies.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, document := range documents(text) {
		rendered, err := source{}.render(document)
		if err != nil {
			t.Fatal(err)
		}
		var p admissionv1.ValidatingAdmissionPolicy
		if err := yaml.Unmarshal([]byte(withoutActions(fill.Replace(rendered))), &p); err != nil {
			t.Fatalf("%v\n%s", err, rendered)
		}
		seen[p.Name] = true
		if hash, err := policy.Digest(p.Spec, own); err != nil || hash != policy.Installed()[policy.Validating][p.Name] {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	for name := range policy.Installed()[policy.Validating] {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// withoutActions leaves out the lines that only Helm reads.
func withoutActions(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "{{-") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// TestNamed: the names of an installation are put in, and what names the usual namespace in any other way is refused.
func TestNamed(t *testing.T) {
	for text, want := range map[string]string{
		`namespace: fonster-system`:                    `namespace: {{ .Release.Namespace }}`,
		`x == "` + policy.Identity{}.User() + `"`:      `x == "{{ include "fonster.operatorUser" . }}"`,
		"\"kube-node-lease\",\n   \"fonster-system\"]": "\"kube-node-lease\",\n   \"{{ .Release.Namespace }}\"]",
		`fonster-systems`:                              "",
		`"fonster-system"`:                             "",
		`ns fonster-system.`:                           "",
	} {
		if got, err := named(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
}

// TestFill: values find their places, and one that finds none is told.
func TestFill(t *testing.T) {
	p := &placeholders{}
	object := map[string]any{"spec": map[string]any{"list": []any{map[string]any{"args": "a", "name": "n"}}}}
	for _, e := range []edit{{"spec.list.0.args", block("include \"args\" .")}, {"spec.replicas", value(".Values.replicas")}, {"spec.pod.class", optional(".Values.class")}} {
		parent, last := cut(e.path)
		set(object, parent, last, p.add(e.line))
	}
	content, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	const want = `spec:
  list:
  - args:
      {{- include "args" . | nindent 6 }}
    name: "n"
  pod:
    {{- with .Values.class }}
    class:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  replicas: {{ .Values.replicas }}
`
	if got, err := p.fill(string(content)); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := p.fill("nothing: here"); err == nil {
		t.Error("values without a place are not told")
	}
}
