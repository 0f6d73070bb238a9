package override

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func object(annotations ...string) *metav1.PartialObjectMetadata {
	o := metadata(kinds[0])
	o.Namespace, o.Name, o.Generation = "a", "web", 3
	o.Annotations, o.Labels = map[string]string{}, map[string]string{v1alpha1.OverriddenLabel: "true"}
	for i := 0; i+1 < len(annotations); i += 2 {
		o.Annotations[annotations[i]] = annotations[i+1]
	}
	o.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-annotate", Time: &metav1.Time{Time: noon.Add(-time.Minute)}}}
	return o
}

func at(t time.Time) string { return t.Format(time.RFC3339) }

func TestDecide(t *testing.T) {
	for title, tc := range map[string]struct {
		object  *metav1.PartialObjectMetadata
		longest time.Duration
		want    decision
		ended   v1alpha1.OverrideEnd
		none    bool
	}{
		"it stands":                     {object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour))), time.Hour, decision{next: noon.Add(time.Hour)}, "", false},
		"it ends later than it may":     {object(override.Reason, "INC-1", override.Until, at(noon.Add(24*time.Hour))), time.Hour, decision{until: noon.Add(time.Hour), next: noon.Add(time.Hour)}, "", false},
		"its end has come":              {object(override.Reason, "INC-1", override.Until, at(noon)), time.Hour, decision{end: true}, v1alpha1.OverrideExpired, false},
		"nothing governs it":            {object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour))), 0, decision{end: true}, "", true},
		"a cache may be behind":         {object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)), override.From, at(noon.Add(-time.Second))+"/2"), 0, decision{next: noon.Add(time.Second)}, "", true},
		"a spent text came again":       {object(override.Reason, "INC-1", override.Spent, "INC-2\nINC-1"), time.Hour, decision{clean: true}, "", true},
		"set before its windows":        {object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)), override.From, at(noon.Add(-3*time.Hour))+"/2"), time.Hour, decision{end: true}, "", true},
		"nobody stamped it":             {object(override.Reason, "INC-1"), time.Hour, decision{end: true}, "", true},
		"its end cannot be read":        {object(override.Reason, "INC-1", override.Until, "soon"), time.Hour, decision{end: true}, "", true},
		"it was taken away":             {object(override.Spent, "INC-1", override.Until, at(noon.Add(time.Hour))), time.Hour, decision{clean: true}, v1alpha1.OverrideRemoved, false},
		"the same text came again":      {object(override.Reason, "INC-1", override.Spent, "INC-1"), time.Hour, decision{clean: true}, "", true},
		"the notes of nothing are left": {object(), time.Hour, decision{clean: true}, "", true},
	} {
		t.Run(title, func(t *testing.T) {
			got := decide(tc.object, governed{longest: tc.longest, since: noon.Add(-2 * time.Hour)}, noon)
			if !got.until.Equal(tc.want.until) || got.end != tc.want.end || got.clean != tc.want.clean || !got.next.Equal(tc.want.next) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if (got.record == nil) != tc.none {
				t.Fatalf("record %+v", got.record)
			}
			if got.record != nil && (got.record.Ended != tc.ended || (got.record.EndedAt == nil) != (tc.ended == "")) {
				t.Errorf("record %+v, want end %q", got.record, tc.ended)
			}
		})
	}
}

// TestFrom: the stamp of the API server says when an override began, whoever writes the object meanwhile, and from which generation.
func TestFrom(t *testing.T) {
	o := object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)), override.From, at(noon.Add(-time.Hour))+"/2", override.By, strings.Repeat("ö", 2000))
	r := decide(o, governed{longest: time.Hour}, noon).record
	if !r.From.Equal(&metav1.Time{Time: noon.Add(-time.Hour)}) || r.FromGeneration != 2 || r.ToGeneration != 3 {
		t.Errorf("record %+v, want it from the stamp", r)
	}
	if n := len([]rune(r.By)); n != maxText {
		t.Errorf("%d characters of who it was, want %d", n, maxText)
	}
}

func TestNote(t *testing.T) {
	o := object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)), override.By, "anna")
	first := decide(o, governed{longest: time.Hour}, noon).record
	list, added := note(nil, *first, o, noon)
	if !added || len(list) != 1 || list[0].By != "anna" || list[0].Object != "Deployment a/web" {
		t.Fatalf("the first sight: %+v", list)
	}
	if again, added := note(list, *first, o, noon.Add(time.Second)); again != nil || added {
		t.Errorf("the same again is a write: %+v", again)
	}
	o.Generation = 4
	list, added = note(list, *decide(o, governed{longest: time.Hour}, noon.Add(time.Minute)).record, o, noon.Add(time.Minute))
	if added || len(list) != 1 || list[0].FromGeneration != 3 || list[0].ToGeneration != 4 {
		t.Errorf("a change under it: %+v", list)
	}
	second := object(override.Reason, "INC-2", override.Until, at(noon.Add(time.Hour)), override.Spent, "INC-1")
	list, added = note(list, *decide(second, governed{longest: time.Hour}, noon.Add(2*time.Minute)).record, second, noon.Add(2*time.Minute))
	if !added || len(list) != 2 || list[1].Ended != v1alpha1.OverrideReplaced || list[0].EndedAt != nil {
		t.Errorf("another reason: %+v", list)
	}
	list[1].Object = "Deployment a/old"
	for i := range 30 {
		other := object(override.Reason, "INC-1", override.Until, at(noon.Add(time.Hour)), override.Spent, "INC-1") // it has ended
		other.Name = string(rune('a' + i))
		list, _ = note(list, *decide(other, governed{longest: time.Hour}, noon).record, other, noon)
	}
	if len(list) != v1alpha1.MaxOverrideRecords {
		t.Errorf("%d records", len(list))
	}
	if open := standing(list); !slices.Equal(open, []string{"Deployment a/web"}) {
		t.Errorf("standing %q, want what stands kept before what has ended", open)
	}
	if closed := closeAll(list, "Deployment a/web", v1alpha1.OverrideDeleted, noon.Add(time.Minute)); closed[v1alpha1.MaxOverrideRecords-1].Ended != v1alpha1.OverrideDeleted {
		t.Errorf("gone with its object: %+v", closed[0])
	}
}
