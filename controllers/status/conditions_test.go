package status

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
)

// windowOf is a window of Heby on Thursday 26 November 2026, 15 to 22, which a test changes.
func windowOf(name string, change func(*v1alpha1.MaintenanceWindowSpec)) *v1alpha1.MaintenanceWindow {
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone:          "Europe/Stockholm",
			Schedules:         []v1alpha1.Schedule{{Dates: []string{"2026-11-26"}, StartTime: new("15:00"), EndTime: new("22:00")}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kommun": "heby"}},
			Audiences:         []string{"heby"},
		},
	}
	if change != nil {
		change(&mw.Spec)
	}
	return mw
}

func freezeOf(name string, change func(*v1alpha1.ChangeFreezeSpec)) *v1alpha1.ChangeFreeze {
	cf := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "Val", TimeZone: "Europe/Stockholm", NamespaceSelector: &metav1.LabelSelector{},
			Schedules: []v1alpha1.Schedule{{Dates: []string{"2026-11-27"}, StartTime: new("00:00"), EndTime: new("24:00")}},
		},
	}
	if change != nil {
		change(&cf.Spec)
	}
	return cf
}

// lookAt is what a View shows of windows, freezes and namespaces.
func lookAt(t *testing.T, objects ...client.Object) (*View, *Common) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	return &View{}, &Common{Client: c, Source: &compile.Source{Reader: c}}
}

func namespaceOf(name, kommun string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kommun": kommun}}}
}

// conditionsOf is the status of a window at an instant, with its conditions as "Status Reason: message".
func conditionsOf(t *testing.T, mw *v1alpha1.MaintenanceWindow, now time.Time, others ...client.Object) (v1alpha1.MaintenanceWindowStatus, map[string]string, time.Time) {
	t.Helper()
	view, common := lookAt(t, append(others, mw)...)
	g, found, err := view.window(t.Context(), common, mw.Name, now)
	if err != nil || !found {
		t.Fatalf("%v, %v", found, err)
	}
	status, until := windowStatus(mw, g, now)
	holds(mw, &status, g, "", now)
	return status, spoken(status.Conditions), until
}

func spoken(conditions []metav1.Condition) map[string]string {
	said := map[string]string{}
	for _, c := range conditions {
		said[c.Type] = fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
	}
	return said
}

func cet(hour, minute int) time.Time { return time.Date(2026, 11, 26, hour-1, minute, 0, 0, time.UTC) }

// TestCutoff: Open stays True in the cutoff, and says so; Accepting is False then; and the status changes when it begins.
func TestCutoff(t *testing.T) {
	mw := windowOf("w", func(s *v1alpha1.MaintenanceWindowSpec) { s.Cutoff = &metav1.Duration{Duration: 6 * time.Hour} })
	evening := freezeOf("f", func(s *v1alpha1.ChangeFreezeSpec) {
		s.Schedules = []v1alpha1.Schedule{{Dates: []string{"2026-11-26"}, StartTime: new("15:45"), EndTime: new("24:00")}}
	})
	for title, tc := range map[string]struct {
		now             time.Time
		others          []client.Object
		open, accepting string
		from            string
		until           time.Time
	}{
		"before": {cet(14, 0), nil,
			"False WindowClosed: opens Thu 26 Nov 2026 15:00 CET", "False WindowClosed: opens Thu 26 Nov 2026 15:00 CET", "", cet(15, 0)},
		"open": {cet(15, 30), nil,
			"True WindowOpen: closes Thu 26 Nov 2026 22:00 CET, nothing new from 16:00", "True Accepting: until Thu 26 Nov 2026 16:00 CET", "15:00", cet(16, 0)},
		"in the cutoff": {cet(16, 22), nil,
			"True WindowOpen: open until Thu 26 Nov 2026 22:00 CET, nothing new since 16:00",
			"False Cutoff: open until Thu 26 Nov 2026 22:00 CET, nothing new since 16:00", "15:00", cet(22, 0)},
		"frozen before the cutoff": {cet(15, 30), []client.Object{evening},
			"True WindowOpen: closes Thu 26 Nov 2026 15:45 CET", "True Accepting: until Thu 26 Nov 2026 15:45 CET", "", cet(15, 45)},
		"frozen": {cet(15, 50), []client.Object{evening},
			"False Frozen: frozen by f, no coming opening", "False Frozen: frozen by f, no coming opening", "", cet(16, 0)},
	} {
		t.Run(title, func(t *testing.T) {
			status, said, until := conditionsOf(t, mw, tc.now, tc.others...)
			if said[v1alpha1.ConditionOpen] != tc.open || said[v1alpha1.ConditionAccepting] != tc.accepting {
				t.Errorf("%s\n%s", said[v1alpha1.ConditionOpen], said[v1alpha1.ConditionAccepting])
			}
			from := ""
			if status.NothingNewFrom != nil {
				from = status.NothingNewFrom.Format("15:04")
			}
			if from != tc.from || !until.Equal(tc.until) {
				t.Errorf("nothing new from %q until %s, want %q until %s", from, until, tc.from, tc.until)
			}
		})
	}
}

// TestWhenOverNight: a cutoff that begins on another day than the window ends says which.
func TestWhenOverNight(t *testing.T) {
	mw := windowOf("w", func(s *v1alpha1.MaintenanceWindowSpec) {
		s.Schedules[0].EndTime, s.Cutoff = new("04:00"), &metav1.Duration{Duration: 5 * time.Hour}
	})
	_, said, _ := conditionsOf(t, mw, cet(20, 0))
	if want := "True WindowOpen: closes Fri 27 Nov 2026 04:00 CET, nothing new from Thu 26 Nov 23:00"; said[v1alpha1.ConditionOpen] != want {
		t.Errorf("%q, want %q", said[v1alpha1.ConditionOpen], want)
	}
}

// TestGoverning names the namespaces, and tells selectors that match only what is never governed.
func TestGoverning(t *testing.T) {
	namespaces := []client.Object{
		namespaceOf("heby", "heby"), namespaceOf("tierp-2", "tierp"), namespaceOf("tierp-1", "tierp"), namespaceOf("kube-system", "drift"),
		namespaceOf("a", "x"), namespaceOf("b", "y"), namespaceOf("c", "z"),
	}
	selects := func(key string, operator metav1.LabelSelectorOperator, values ...string) func(*v1alpha1.MaintenanceWindowSpec) {
		return func(s *v1alpha1.MaintenanceWindowSpec) {
			s.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
		}
	}
	for title, tc := range map[string]struct {
		change func(*v1alpha1.MaintenanceWindowSpec)
		want   string
		n      int32
	}{
		"one":        {nil, "True NamespacesMatch: 1 namespace: heby", 1},
		"some":       {selects("kommun", "In", "tierp", "heby"), "True NamespacesMatch: 3 namespaces: heby, tierp-1, tierp-2", 3},
		"many":       {selects("kommun", "Exists"), "True NamespacesMatch: 6 namespaces: a, b, c, heby, tierp-1 and 1 more", 6},
		"everything": {func(s *v1alpha1.MaintenanceWindowSpec) { s.NamespaceSelector = &metav1.LabelSelector{} }, "True NamespacesMatch: every namespace (6)", 6},
		"none": {selects("kommun", "In", "knivsta"),
			"False NoNamespaceMatches: no namespace matches namespaceSelector (kommun in (knivsta)): nothing is governed until one does", 0},
		"protected": {selects("kommun", "In", "drift"),
			"False NoNamespaceMatches: namespaceSelector (kommun in (drift)) matches only what is never governed: kube-system", 0},
	} {
		t.Run(title, func(t *testing.T) {
			status, said, _ := conditionsOf(t, windowOf("w", tc.change), cet(12, 0), namespaces...)
			if said[v1alpha1.ConditionGoverning] != tc.want || status.Namespaces != tc.n {
				t.Errorf("%d, %q, want %q", status.Namespaces, said[v1alpha1.ConditionGoverning], tc.want)
			}
		})
	}
}

// TestReady says what was read, and remarks on what is probably not meant.
func TestReady(t *testing.T) {
	type spec = v1alpha1.MaintenanceWindowSpec
	const read = "True Compiled: read; opens and closes as scheduled"
	for title, tc := range map[string]struct {
		change      func(*spec)
		ready, open string
	}{
		"as it should be": {nil, read, ""},
		"the past": {func(s *spec) { s.Schedules[0].Dates = []string{"2016-05-13"} },
			"True NoFurtherOccurrence: read, but every occurrence lies in the past", ""},
		"far away": {func(s *spec) {
			s.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=MONTHLY;BYDAY=5SA;BYMONTH=2"), StartTime: new("09:00"), EndTime: new("20:00")}}
		}, read + "; the next occurrence is far away: Sat 29 Feb 2048 09:00 CET", ""},
		"told to everybody": {func(s *spec) { s.Audiences = nil },
			read + "; it has no audiences, so everybody is told of it, though it governs kommun in (heby) only", ""},
		"for everybody": {func(s *spec) { s.Audiences, s.NamespaceSelector = nil, &metav1.LabelSelector{} }, read, ""},
		"times exchanged": {func(s *spec) { s.Schedules[0].StartTime, s.Schedules[0].EndTime = new("20:00"), new("09:00") },
			read + "; schedules[0]: endTime is before startTime: each occurrence ends on the next day, after 13h", ""},
		"broken": {func(s *spec) {
			s.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=MONTHLY;BYDAY=3LÖ"), StartTime: new("09:00"), EndTime: new("20:00")}}
		}, "False InvalidSchedule: spec.schedules[0].rrule: ", "False NotReady: closed: InvalidSchedule, schedules[0].rrule"},
	} {
		t.Run(title, func(t *testing.T) {
			_, said, _ := conditionsOf(t, windowOf("w", tc.change), cet(12, 0))
			if ready := said[v1alpha1.ConditionReady]; ready != tc.ready && (tc.open == "" || !strings.HasPrefix(ready, tc.ready)) {
				t.Errorf("%q, want %q", ready, tc.ready)
			}
			if tc.open != "" && said[v1alpha1.ConditionOpen] != tc.open {
				t.Errorf("%q, want %q", said[v1alpha1.ConditionOpen], tc.open)
			}
		})
	}
}

// TestFreezeConditions: a freeze that could be read is not said to be in force for that.
func TestFreezeConditions(t *testing.T) {
	broken := freezeOf("broken", func(s *v1alpha1.ChangeFreezeSpec) { s.Schedules[0].Dates = []string{"2027-02-30"} })
	for cf, want := range map[*v1alpha1.ChangeFreeze]map[string]string{
		freezeOf("f", nil): {
			v1alpha1.ConditionReady: "True Compiled: read", v1alpha1.ConditionActive: "False FreezeInactive: begins Fri 27 Nov 2026 00:00 CET",
			v1alpha1.ConditionGoverning: "True NamespacesMatch: every namespace (1)",
		},
		broken: {
			v1alpha1.ConditionReady: "False InvalidSchedule: spec.schedules[0].dates[0]: is not a day of the calendar: write an existing day as YYYY-MM-DD; " +
				"the freeze is in force until this is corrected",
			v1alpha1.ConditionActive:    "True FreezeActive: in force: InvalidSchedule, schedules[0].dates[0]",
			v1alpha1.ConditionGoverning: "True NamespacesMatch: every namespace (1)",
		},
	} {
		view, common := lookAt(t, cf, namespaceOf("heby", "heby"))
		g, found, err := view.freeze(t.Context(), common, cf.Name, cet(12, 0))
		if err != nil || !found {
			t.Fatalf("%v, %v", found, err)
		}
		status, _ := freezeStatus(cf, g, cet(12, 0))
		if diff := cmp.Diff(want, spoken(status.Conditions)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", cf.Name, diff)
		}
	}
}

// TestHoldSupported: what nothing can be held of, or what another window refuses, is told.
func TestHoldSupported(t *testing.T) {
	app := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	}
	common := func(objects *metav1.LabelSelector, disruptions ...v1alpha1.Disruption) client.Object {
		return windowOf("gemensamma", func(s *v1alpha1.MaintenanceWindowSpec) {
			s.NamespaceSelector, s.ObjectSelector, s.Disruptions = &metav1.LabelSelector{}, objects, disruptions
		})
	}
	warns := windowOf("warns", func(s *v1alpha1.MaintenanceWindowSpec) { s.Enforcement = v1alpha1.Warn })
	const fine = "True HoldSupported: rollouts are held outside the window"
	for title, tc := range map[string]struct {
		disruptions []v1alpha1.Disruption
		objects     *metav1.LabelSelector
		others      []client.Object
		want        string
	}{
		"alone":                 {nil, nil, []client.Object{warns}, fine},
		"without rollouts":      {[]v1alpha1.Disruption{v1alpha1.Delete, v1alpha1.Evict}, nil, nil, "False NothingToHold: only a Rollout can be held, and disruptions does not list it: Hold is enforced as Deny"},
		"beside Deny":           {nil, nil, []client.Object{common(nil)}, "False OverruledByDeny: gemensamma refuses (Deny) what this window would hold, in 1 namespace: heby"},
		"beside Deny of some":   {nil, nil, []client.Object{common(app("db"))}, "False OverruledByDeny: gemensamma refuses (Deny) what this window would hold, in 1 namespace: heby"},
		"beside Deny of others": {nil, app("web"), []client.Object{common(app("db"))}, fine},
		"beside Deny of Evict":  {nil, nil, []client.Object{common(nil, v1alpha1.Evict)}, fine},
	} {
		t.Run(title, func(t *testing.T) {
			mw := windowOf("w", func(s *v1alpha1.MaintenanceWindowSpec) {
				s.Enforcement, s.Disruptions, s.ObjectSelector = v1alpha1.Hold, tc.disruptions, tc.objects
			})
			others := append(slices.Clone(tc.others), namespaceOf("heby", "heby"), namespaceOf("tierp", "tierp"))
			if _, said, _ := conditionsOf(t, mw, cet(12, 0), others...); said[v1alpha1.ConditionHoldSupported] != tc.want {
				t.Errorf("%q, want %q", said[v1alpha1.ConditionHoldSupported], tc.want)
			}
		})
	}
}

// TestEnforcedWhereItGoverns: a Gate that could not be written concerns what governs its namespace, and nothing else.
func TestEnforcedWhereItGoverns(t *testing.T) {
	view, common := lookAt(t, windowOf("w", nil), namespaceOf("heby", "heby"), namespaceOf("tierp", "tierp"), namespaceOf("kube-system", "heby"))
	g, _, err := view.window(t.Context(), common, "w", cet(12, 0))
	if err != nil {
		t.Fatal(err)
	}
	common.Enforced = &enforced.State{}
	for namespace, want := range map[string]metav1.ConditionStatus{
		"heby": metav1.ConditionFalse, "tierp": metav1.ConditionTrue, "kube-system": metav1.ConditionTrue, "gone": metav1.ConditionTrue,
	} {
		common.Enforced.Tell(enforced.Report{Gates: map[string]string{namespace: "timeout"}})
		var conditions []metav1.Condition
		common.setEnforced(&conditions, 1, g.governs, cet(12, 0))
		if c := meta.FindStatusCondition(conditions, v1alpha1.ConditionEnforced); c.Status != want {
			t.Errorf("the Gate of %s could not be written: %+v", namespace, c)
		}
	}
}
