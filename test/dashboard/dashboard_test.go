// Package dashboard holds the dashboard against the schema that Grafana generates its own types from, and the monitor and rules of the
// Prometheus operator against its types.
package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// mistakes are what the schema does not know, or knows otherwise. The fields of panels are not decoded strictly: there, what the
// schema's types do not write again.
func mistakes(text string) (found []string) {
	var strict, lenient dashboard.Dashboard
	if err := strict.UnmarshalJSONStrict([]byte(text)); err != nil && err.Error() != "" { // it returns an error of none
		found = append(found, err.Error())
	}
	if err := json.Unmarshal([]byte(text), &lenient); err != nil {
		return append(found, err.Error())
	}
	if err := lenient.Validate(); err != nil {
		found = append(found, err.Error())
	}
	written, err := json.Marshal(lenient)
	if err != nil {
		return append(found, err.Error())
	}
	var before, after any
	if err := errors.Join(json.Unmarshal([]byte(text), &before), json.Unmarshal(written, &after)); err != nil {
		return append(found, err.Error())
	}
	return append(found, lost("dashboard", before, after)...)
}

// lost lists what of want is not in got.
func lost(path string, want, got any) (all []string) {
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for key := range w {
			all = append(all, lost(path+"."+key, w[key], g[key])...)
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			return []string{path}
		}
		for i := range w {
			all = append(all, lost(fmt.Sprintf("%s[%d]", path, i), w[i], g[i])...)
		}
	default:
		if want != got {
			return []string{path}
		}
	}
	return all
}

// TestSchema: every field is one of the schema, of the right type, and none that must be there is missing; those of the panels'
// options and of the queries too.
func TestSchema(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	content, err := os.ReadFile("../../config/grafana/fonster.json")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, mistake := range mistakes(text) {
		t.Error(mistake)
	}
	for title, change := range map[string][2]string{
		"of the dashboard": {`"schemaVersion"`, `"schema"`}, "of a panel": {`"gridPos"`, `"grid"`}, "of a query": {`"legendFormat"`, `"legend"`},
		"of a field": {`"mappings"`, `"mapping"`}, "of options": {`"showHeader"`, `"header"`}, "of a type": {`"refId": "A"`, `"refId": 1`},
	} {
		wrong := strings.ReplaceAll(text, change[0], change[1])
		if wrong == text || len(mistakes(wrong)) == 0 {
			t.Errorf("a mistake %s is not found", title)
		}
	}
}
