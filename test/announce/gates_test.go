package announce

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
)

// gates are the Gates of some namespaces as they stand in the cluster at an instant: written at the last edge, and not touched since.
type gates struct {
	*testing.T
	compiled *compile.Compiled
	// namespaces has the labels of each.
	namespaces map[string]labels.Set
	objects    map[string]*v1alpha1.Gate
	until      time.Time
}

func (g *gates) at(now time.Time) {
	g.Helper()
	for g.until.IsZero() || !g.until.After(now) {
		edge := g.until
		if edge.IsZero() {
			edge = now
		}
		g.objects, g.until = map[string]*v1alpha1.Gate{}, time.Time{}
		for name, set := range g.namespaces {
			governing := g.compiled.Set.Of(set)
			if governing == nil {
				continue
			}
			state := governing.At(edge)
			if g.until.IsZero() || !state.Until.IsZero() && state.Until.Before(g.until) {
				g.until = state.Until
			}
			text, err := json.Marshal(compile.Gate(name, state, g.compiled.Set.Keys(), nil, true, g.compiled.Owners(governing)))
			if err != nil {
				g.Fatal(err)
			}
			object := &v1alpha1.Gate{}
			if err := json.Unmarshal(text, object); err != nil {
				g.Fatal(err)
			}
			g.objects[name] = object
		}
	}
}

// admit decides as the policies do whether a rollout may begin in a namespace: no freeze is in force, and one of the targets is open.
func (g *gates) admit(namespace string, now time.Time) bool {
	g.Helper()
	g.at(now)
	gate := g.objects[namespace]
	if gate == nil {
		return true
	}
	rollout := func(list []v1alpha1.Disruption) bool { return slices.Contains(list, v1alpha1.Rollout) }
	if slices.ContainsFunc(gate.Spec.Freezes, func(f v1alpha1.GateFreeze) bool {
		return f.Enforcement == v1alpha1.Deny && rollout(f.Disruptions) && (f.Active || f.StartsAt != nil && !now.Before(f.StartsAt.Time))
	}) {
		return false
	}
	closed := false
	for _, t := range gate.Spec.Targets {
		switch {
		case !rollout(t.Disruptions):
		case t.Open && (t.ClosesAt == nil || now.Before(t.ClosesAt.Time)):
			return true
		case t.Enforcement != v1alpha1.Warn:
			closed = true
		}
	}
	return !closed
}

// published is what a reader of windows.json knows.
type published struct {
	Occurrences []struct {
		Kind, Name, State string
		Start, End        time.Time
		NothingNewFrom    *time.Time
		Frozen            []struct{ Start, End time.Time }
	}
	Truncated bool
}

func (c *cluster) published() (p published) {
	c.Helper()
	if err := json.Unmarshal([]byte(c.get("/windows.json")), &p); err != nil {
		c.Fatal(err)
	}
	if p.Truncated {
		c.Fatal("not everything was published")
	}
	return p
}

// mayBegin is what a reader concludes: whether something new may begin by a window at an instant.
func (p published) mayBegin(window string, at time.Time) bool {
	for _, o := range p.Occurrences {
		last := o.End
		if o.NothingNewFrom != nil {
			last = *o.NothingNewFrom
		}
		if o.Kind != "window" || o.Name != window || at.Before(o.Start) || !at.Before(last) {
			continue
		}
		frozen := false
		for _, f := range o.Frozen {
			frozen = frozen || !at.Before(f.Start) && at.Before(f.End)
		}
		return !frozen
	}
	return false
}

// TestAnnouncedTimesAreTheGates: at 1,000 random instants of a year, and 1,000 more around the two switches of each zone, the Gate
// objects of the cluster admit exactly what has been published on New Year's Eve, and what is published then.
func TestAnnouncedTimesAreTheGates(t *testing.T) {
	cutoff := func(w v1alpha1.MaintenanceWindow, d time.Duration) v1alpha1.MaintenanceWindow {
		w.Spec.Cutoff = &metav1.Duration{Duration: d}
		return w
	}
	rule := func(rrule, start, end string) v1alpha1.Schedule {
		return v1alpha1.Schedule{RRule: &rrule, StartTime: &start, EndTime: &end}
	}
	nights := cutoff(window("nights", rule("FREQ=DAILY", "22:00", "04:00")), time.Hour)
	weekends := cutoff(window("weekends", rule("FREQ=WEEKLY;BYDAY=SA,SU", "00:00", "24:00")), 30*time.Minute)
	weekends.Spec.Exclusions = []v1alpha1.Exclusion{{Schedule: rule("FREQ=MONTHLY;BYDAY=1SA", "10:00", "14:00")}}
	gap := window("gap", rule("FREQ=DAILY", "02:15", "02:45")) // a time that is not there, or there twice
	elapsed := window("elapsed", v1alpha1.Schedule{Cron: new("30 1 * * 0"), Duration: &metav1.Duration{Duration: 2 * time.Hour}})
	abroad := cutoff(window("abroad", rule("FREQ=WEEKLY;BYDAY=SU,MO,TH", "01:30", "09:00")), 90*time.Minute)
	abroad.Spec.TimeZone = "America/New_York"
	c := newCluster(t, time.Date(2025, 12, 31, 12, 0, 0, 0, time.UTC), nights, weekends, gap, elapsed, abroad)
	for i := range c.windows {
		c.windows[i].Spec.Description = "" // so that nothing is cut
	}
	everywhere, lunch, partly, warns := freeze("everywhere", "Jul", "", "2026-12-24", "2026-12-25", "2026-12-26"), freeze("lunch", "Lunch", "weekends"), freeze("partly", "Natt", "nights"), freeze("warns", "Råd", "gap")
	everywhere.Spec.NamespaceSelector = &metav1.LabelSelector{}
	lunch.Spec.Schedules = []v1alpha1.Schedule{rule("FREQ=WEEKLY;BYDAY=SA,SU", "02:30", "03:30"), rule("FREQ=WEEKLY;BYDAY=SA", "12:30", "15:00")}
	partly.Spec.Schedules = []v1alpha1.Schedule{rule("FREQ=WEEKLY;BYDAY=SU", "01:00", "02:30")}
	warns.Spec.Schedules, warns.Spec.Enforcement = []v1alpha1.Schedule{rule("FREQ=DAILY", "00:00", "12:00")}, v1alpha1.Warn
	c.freezes = []v1alpha1.ChangeFreeze{everywhere, lunch, partly, warns}
	c.changed()
	before := c.published()

	random := rand.New(rand.NewPCG(3, 4))
	var instants []time.Time
	cases := 1000
	if testing.Short() {
		cases = 100
	}
	for range cases {
		instants = append(instants, c.now.Add(time.Duration(random.Int64N(int64(390*24*time.Hour)))))
	}
	switches := []time.Time{
		time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC), // Stockholm
		time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), // New York
	}
	for i := range cases {
		instants = append(instants, switches[i%4].Add(time.Duration(random.Int64N(int64(12*time.Hour)))-6*time.Hour))
	}
	slices.SortFunc(instants, time.Time.Compare)

	var cache compile.Cache
	g := gates{T: t, compiled: cache.Compile(c.windows, c.freezes), namespaces: map[string]labels.Set{}}
	for _, w := range c.windows {
		g.namespaces[w.Name] = labels.Set{"team": w.Name}
	}
	g.at(c.now)
	admitted, refused := map[string]int{}, map[string]int{}
	for i, now := range instants {
		c.now = now
		then := before
		if i%5 == 0 {
			then = c.published()
		}
		for _, w := range c.windows {
			admits := g.admit(w.Name, now)
			if announced := before.mayBegin(w.Name, now); announced != admits {
				t.Fatalf("%s at %s: announced before: %t, the gates admit: %t", w.Name, now, announced, admits)
			}
			if announced := then.mayBegin(w.Name, now); announced != admits {
				t.Fatalf("%s at %s: announced then: %t, the gates admit: %t", w.Name, now, announced, admits)
			}
			if admits {
				admitted[w.Name]++
			} else {
				refused[w.Name]++
			}
		}
	}
	for _, w := range c.windows {
		if least := cases / 50; admitted[w.Name] < least || refused[w.Name] < least {
			t.Errorf("%s: admitted %d times, refused %d: too little was compared", w.Name, admitted[w.Name], refused[w.Name])
		}
	}
	t.Logf("admitted %v, refused %v", admitted, refused)
}
