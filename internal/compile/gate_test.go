package compile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
)

// TestGatesStayWritable: however many windows of other targets are open or to open, and however much they select by, a closed gate is
// small enough to be written and read, lists what fits, and counts the rest.
func TestGatesStayWritable(t *testing.T) {
	now := time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC)
	dates := func(date string) []v1alpha1.Schedule {
		return []v1alpha1.Schedule{{Dates: []string{date}, StartTime: new("09:00:30"), EndTime: new("20:00:30")}}
	}
	window := func(name string, namespaces, objects *metav1.LabelSelector, date string) v1alpha1.MaintenanceWindow {
		return v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "Europe/Stockholm", Schedules: dates(date), NamespaceSelector: namespaces, ObjectSelector: objects,
			Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown, v1alpha1.Evict},
		}}
	}
	not := func(window, values int) *metav1.LabelSelector {
		r := metav1.LabelSelectorRequirement{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn}
		for i := range values {
			r.Values = append(r.Values, fmt.Sprintf("%s-%04d-%04d", strings.Repeat("n", 52), window, i))
		}
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{r}}
	}
	for title, tc := range map[string]struct{ windows, values, listed, next int }{
		"few":                    {4, 1, 4, 4},
		"200 of few values":      {200, 1, 130, 8},
		"24 with 64 values":      {24, 64, 6, 1},
		"3 with too many values": {3, 1024, 0, 0},
	} {
		t.Run(title, func(t *testing.T) {
			windows := []v1alpha1.MaintenanceWindow{window("closed", &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "osthammar"}}, nil, "2026-06-01")}
			for i := range tc.windows {
				windows = append(windows,
					window(fmt.Sprintf("open-%03d", i), not(i, tc.values), not(i, tc.values), "2026-05-13"),
					window(fmt.Sprintf("next-%03d", i), not(1000+i, tc.values), not(i, tc.values), "2026-05-14"))
			}
			gates, _ := new(Cache).Compile(windows, nil).Set.At(now)
			for _, g := range gates {
				if g.Windows[0] != "closed" {
					continue
				}
				if len(g.AlsoOpen) < tc.listed || len(g.AlsoOpen)+g.Omitted != tc.windows || len(g.NextOpenings) < tc.next {
					t.Errorf("%d open elsewhere are listed, %d omitted, %d next openings; want at least %d, all, %d",
						len(g.AlsoOpen), g.Omitted, len(g.NextOpenings), tc.listed, tc.next)
				}
				content, err := json.Marshal(Gate(g, nil).Spec)
				if err != nil {
					t.Fatal(err)
				}
				if most := gate.MaxAlsoOpenBytes + gate.MaxNextOpeningsBytes + 4<<10; len(content) > most {
					t.Errorf("the gate is %d bytes long, more than %d", len(content), most)
				}
			}
		})
	}
}

// TestBytes: what an opening is taken to need of a Gate's JSON is no less than it needs.
func TestBytes(t *testing.T) {
	at := time.Date(2026, 5, 13, 12, 0, 30, 0, time.FixedZone("+1245", 12*3600+45*60))
	all := []gate.Disruption{gate.Rollout, gate.ScaleDown, gate.Delete, gate.Evict}
	one := gate.Selector{{Key: "k", Operator: "DoesNotExist"}}
	values := gate.Selector{{Key: "kommun.se/k", Operator: gate.NotIn, Values: []string{"a", "bb"}}, {Key: "l", Operator: gate.Exists}}
	for _, o := range []gate.Overlap{
		{Window: "w", Disruptions: all, OpensAt: at, Target: gate.Target{Namespaces: one}},
		{Window: "w", Disruptions: all, ClosesAt: at, Target: gate.Target{Namespaces: values, Objects: values}},
	} {
		content, err := json.Marshal(overlaps([]gate.Overlap{o})[0])
		if err != nil {
			t.Fatal(err)
		}
		if o.Bytes() < len(content) {
			t.Errorf("taken to be %d bytes, is %d: %s", o.Bytes(), len(content), content)
		}
	}
}
