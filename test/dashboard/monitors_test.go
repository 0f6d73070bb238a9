package dashboard

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// strictly decodes a manifest into the type of its kind; a field that the type does not have is an error.
func strictly(manifest []byte, into any) error {
	text, err := yaml.YAMLToJSON(manifest)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// TestMonitors: the Prometheus operator's own types have every field of what is installed for it.
func TestMonitors(t *testing.T) {
	for name, into := range map[string]any{"servicemonitor.yaml": &monitoringv1.ServiceMonitor{}, "prometheusrule.yaml": &monitoringv1.PrometheusRule{}} {
		manifest, err := os.ReadFile("../../config/prometheus/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := strictly(manifest, into); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := strictly(append(manifest, "colour: red\n"...), into); err == nil {
			t.Errorf("%s: a field that is none passes", name)
		}
	}
}
