// Package limits holds the bounds and words of the CRDs against the constants and types of the API.
package limits

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"fonster.dev/fonster/api/v1alpha1"
)

// limits are the constants that bound a field of a CRD, by the path of that field: markers cannot name a constant.
var limits = map[string]int{
	"gates spec.targets maxItems":                               v1alpha1.MaxGateTargets,
	"gates spec.freezes maxItems":                               v1alpha1.MaxGateFreezes,
	"gates spec.labelKeys maxItems":                             v1alpha1.MaxLabelKeys,
	"gates spec.targets[].windows maxItems":                     v1alpha1.MaxWindowNames,
	"gates spec.targets[].overrides.windows maxItems":           v1alpha1.MaxWindowNames,
	"gates spec.targets[].overrides.reasonPatterns maxItems":    v1alpha1.MaxWindowNames,
	"gates spec.targets[].disruptions maxItems":                 len(disruptions),
	"gates spec.freezes[].disruptions maxItems":                 len(disruptions),
	"gates spec.exempt.users maxItems":                          v1alpha1.MaxExempt,
	"gates spec.exempt.groups maxItems":                         v1alpha1.MaxExempt,
	"gates spec.exempt.leaderLabels maxItems":                   v1alpha1.MaxExempt,
	"gates spec.exempt.users[] maxLength":                       v1alpha1.MaxExemptName,
	"gates spec.exempt.groups[] maxLength":                      v1alpha1.MaxExemptName,
	"maintenancewindows spec.disruptions maxItems":              len(disruptions),
	"changefreezes spec.disruptions maxItems":                   len(disruptions),
	"maintenancewindows status.upcoming maxItems":               v1alpha1.MaxUpcoming,
	"changefreezes status.upcoming maxItems":                    v1alpha1.MaxUpcoming,
	"maintenancewindows status.overrides maxItems":              v1alpha1.MaxOverrideRecords,
	"maintenancewindows status.lastOccurrence.stopped maxItems": v1alpha1.MaxStopped,
}

// sameLength are fields that hold what others hold: where one is longer, it does not fit.
var sameLength = [][]string{
	{"changefreezes spec.reason", "gates spec.freezes[].reason"},
	{"changefreezes spec.overrides.reasonPattern", "maintenancewindows spec.overrides.reasonPattern",
		"gates spec.freezes[].overrides.reasonPattern", "gates spec.targets[].overrides.reasonPatterns[]"},
	{"gates spec.targets[].windows[]", "gates spec.targets[].overrides.windows[]", "gates spec.targets[].opensWindow",
		"gates spec.targets[].cutoff.window", "gates spec.freezes[].name", "gates spec.summary.by"},
	{"gates spec.labelKeys[]", "gates spec.exempt.leaderLabels[]"},
	{"gates spec.targets[].opens", "gates spec.targets[].cutoff.since", "gates spec.targets[].cutoff.ends", "gates spec.freezes[].ends",
		"gates spec.summary.when"},
}

var (
	disruptions = words(v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict)
	ofWindow    = words(v1alpha1.Deny, v1alpha1.Hold, v1alpha1.Warn, v1alpha1.Audit)
	ofFreeze    = words(v1alpha1.Deny, v1alpha1.Warn, v1alpha1.Audit)
	// In a Gate what audits is Deny: it has a Gate of its own.
	ofTarget, ofFrozen = words(v1alpha1.Deny, v1alpha1.Hold, v1alpha1.Warn), words(v1alpha1.Deny, v1alpha1.Warn)
)

// enums are the values of the fields that have the type of some constants.
var enums = map[string][]string{
	"gates spec.summary.state":              words(v1alpha1.GateOpen, v1alpha1.GateClosed, v1alpha1.GateFrozen, v1alpha1.GateMixed),
	"gates spec.targets[].disruptions[]":    disruptions,
	"gates spec.freezes[].disruptions[]":    disruptions,
	"gates spec.targets[].enforcement":      ofTarget,
	"gates spec.freezes[].enforcement":      ofFrozen,
	"maintenancewindows spec.disruptions[]": disruptions,
	"maintenancewindows spec.enforcement":   ofWindow,
	"changefreezes spec.disruptions[]":      disruptions,
	"changefreezes spec.enforcement":        ofFreeze,
	"maintenancewindows spec.class":         words(v1alpha1.Planned, v1alpha1.Emergency),
}

func words[S ~string](values ...S) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	slices.Sort(list)
	return list
}

// schema is what is compared of an OpenAPI schema.
type schema struct {
	Properties map[string]schema `json:"properties"`
	Items      *schema           `json:"items"`
	MaxItems   *int              `json:"maxItems"`
	MaxLength  *int              `json:"maxLength"`
	Enum       []string          `json:"enum"`
}

// bounds of a CRD, by path.
type bounds struct {
	numbers map[string]int
	enums   map[string][]string
	arrays  []string
}

func (b bounds) read(path string, s schema) bounds {
	if s.MaxItems != nil {
		b.numbers[path+" maxItems"] = *s.MaxItems
	}
	if s.MaxLength != nil {
		b.numbers[path+" maxLength"] = *s.MaxLength
	}
	if len(s.Enum) > 0 {
		slices.Sort(s.Enum)
		b.enums[path] = s.Enum
	}
	if s.Items != nil {
		b.arrays = append(b.arrays, path)
		b = b.read(path+"[]", *s.Items)
	}
	separator := "."
	if strings.HasSuffix(path, " ") {
		separator = ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if name != "metadata" {
			b = b.read(path+separator+name, s.Properties[name])
		}
	}
	return b
}

// TestCRDs: the CRDs bound what the constants say that they bound, and say the words that the types have.
func TestCRDs(t *testing.T) {
	b := bounds{numbers: map[string]int{}, enums: map[string][]string{}}
	for _, kind := range []string{"gates", "maintenancewindows", "changefreezes"} {
		content, err := os.ReadFile(fmt.Sprintf("../../config/crd/bases/%s_%s.yaml", v1alpha1.GroupName, kind))
		if err != nil {
			t.Fatal(err)
		}
		var crd struct {
			Spec struct {
				Versions []struct {
					Schema struct {
						OpenAPIV3Schema schema `json:"openAPIV3Schema"`
					} `json:"schema"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		b = b.read(kind+" ", crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	}
	for path, want := range limits {
		if got, found := b.numbers[path]; !found || got != want {
			t.Errorf("%s: the CRD says %d, the constant %d", path, got, want)
		}
	}
	for path, want := range enums {
		if got := b.enums[path]; !slices.Equal(got, want) {
			t.Errorf("%s: the CRD says %v, the types %v", path, got, want)
		}
	}
	for _, same := range sameLength {
		for _, path := range same[1:] {
			if got, want := b.numbers[path+" maxLength"], b.numbers[same[0]+" maxLength"]; got != want || got == 0 {
				t.Errorf("%s takes %d characters, %s takes %d", path, got, same[0], want)
			}
		}
	}
	b.checkArrays(t)
}

// checkArrays: every list in a Gate is bounded by a constant, or by something else that is bounded.
func (b bounds) checkArrays(t *testing.T) {
	t.Helper()
	for _, path := range b.arrays {
		if !strings.HasPrefix(path, "gates ") {
			continue
		}
		if strings.Contains(path, ".objectSelector.") {
			continue // copied from a window or freeze, whose selectors MaxSelectorRequirements and MaxSelectorValues bound: a policy does
		}
		if _, bounded := limits[path+" maxItems"]; !bounded {
			t.Errorf("%s is bounded by no constant", path)
		}
	}
}
