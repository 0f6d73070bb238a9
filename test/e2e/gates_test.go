package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

func warn(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Warn }

func hold(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Hold }

func everywhere(mw *v1alpha1.MaintenanceWindow) { mw.Spec.NamespaceSelector = &metav1.LabelSelector{} }

func namespaces(expressions ...metav1.LabelSelectorRequirement) windowOption {
	return func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: expressions}
	}
}

func objects(key, value string) windowOption {
	return func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
}

// freeze creates a freeze over the namespaces with label team=TEAM, and waits until it is in force.
func freeze(t *testing.T, name, team string, schedules []v1alpha1.Schedule, change ...func(*v1alpha1.ChangeFreeze)) *v1alpha1.ChangeFreeze {
	t.Helper()
	cf := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.ChangeFreezeSpec{
			Reason: "Val:\n röstning pågår", TimeZone: "Europe/Stockholm", Schedules: schedules,
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": team}},
		},
	}
	for _, c := range change {
		c(cf)
	}
	create(t, cf)
	eventually(t, 10*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(cf), cf); err != nil {
			return err
		}
		if cf.Status.ObservedGeneration != cf.Generation || len(cf.Status.Conditions) == 0 {
			return fmt.Errorf("no status yet")
		}
		return nil
	})
	gated(t, cf.Name, cf.Spec.NamespaceSelector)
	return cf
}

// TestInForceSoon: a new window governs, a changed one too, and a deleted one no longer does; it logs after how long.
func TestInForceSoon(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
		},
	}
	dry := client.NewDryRunClient(shared.Admin)
	start := time.Now()
	create(t, mw)
	eventually(t, 20*time.Second, func() error {
		if err := setImage(t.Context(), dry, d, "app:2"); !apierrors.IsForbidden(err) {
			return fmt.Errorf("not refused: %v", err)
		}
		return nil
	})
	t.Logf("a new window was in force after %s", time.Since(start).Round(time.Millisecond))

	start = time.Now()
	eventually(t, 20*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
			return err
		}
		mw.Spec.Schedules = []v1alpha1.Schedule{always()}
		return shared.Admin.Update(t.Context(), mw)
	})
	eventually(t, 20*time.Second, func() error { return setImage(t.Context(), dry, d, "app:2") })
	t.Logf("a changed window was in force after %s", time.Since(start).Round(time.Millisecond))

	inForce(t, mw)
	gate := gateOf(t, ns)
	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	gone(t, gate)
}

// TestStatus: what people and kubectl wait read.
func TestStatus(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	mw := window(t, ns, ns, always())
	if out, err := shared.Kubectl("wait", "--for=condition=Open", "--timeout=5s", "mw/"+ns); err != nil {
		t.Fatalf("kubectl wait: %v\n%s", err, out)
	}
	if mw.Status.ClosesAt == nil || mw.Status.OpensAt != nil || len(mw.Status.Upcoming) != 1 || mw.Status.Namespaces != 1 {
		t.Errorf("status of an open window: %+v", mw.Status)
	}
	out, err := shared.Kubectl("get", "mw", ns)
	if err != nil || !strings.Contains(out, "closes ") || !strings.Contains(out, "Deny") {
		t.Errorf("kubectl get mw: %v\n%s", err, out)
	}
	if out, err = shared.Kubectl("-n", ns, "get", "gate"); err != nil || !strings.Contains(out, "Open") || !strings.Contains(out, "closes ") || !strings.Contains(out, ns) {
		t.Errorf("kubectl get gate: %v\n%s", err, out)
	}
	if out, err = shared.Kubectl("explain", "mw.spec.schedules"); err != nil || !strings.Contains(out, `cron: "0 9 * * 6"`) {
		t.Errorf("kubectl explain: %v\n%s", err, out)
	}
}

// TestEdges: a window opens and closes on the second, with Events, and its status follows.
func TestEdges(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	opens := time.Now().Add(6 * time.Second).Truncate(time.Second)
	closes := opens.Add(4 * time.Second)
	if day(opens) != day(closes) {
		t.Skip("midnight is near")
	}
	mw := window(t, ns, ns, between(opens, closes))
	dry := client.NewDryRunClient(shared.Admin)
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), opens.UTC().Format("Mon 2 Jan 2006 15:04"))
	time.Sleep(time.Until(opens))
	eventually(t, time.Until(closes), func() error { return setImage(t.Context(), dry, d, "app:2") })
	t.Logf("first success %s after the edge", time.Since(opens).Round(time.Millisecond))
	eventually(t, 2*time.Second, func() error { return openIs(t.Context(), mw, metav1.ConditionTrue) })
	time.Sleep(time.Until(closes))
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "No coming opening is known")
	eventually(t, 10*time.Second, func() error { return openIs(t.Context(), mw, metav1.ConditionFalse) })
	wantEvent(t, mw.Name, v1alpha1.ReasonWindowOpen)
	wantEvent(t, mw.Name, v1alpha1.ReasonWindowClosed)
}

func openIs(ctx context.Context, mw *v1alpha1.MaintenanceWindow, want metav1.ConditionStatus) error {
	if err := shared.Admin.Get(ctx, client.ObjectKeyFromObject(mw), mw); err != nil {
		return err
	}
	if c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionOpen); c == nil || c.Status != want {
		return fmt.Errorf("condition Open is %+v, want %s", c, want)
	}
	return nil
}

func wantEvent(t *testing.T, name, reason string) {
	t.Helper()
	eventually(t, 15*time.Second, func() error {
		out, err := shared.Kubectl("get", "events", "-A", "-o", `jsonpath={range .items[*]}{.involvedObject.name} {.reason}{"\n"}{end}`)
		if err != nil {
			return err
		}
		if !strings.Contains(out, name+" "+reason+"\n") {
			return fmt.Errorf("no event %s of %s in:\n%s", reason, name, out)
		}
		return nil
	})
}

// TestWarn: enforcement Warn lets the request pass, with a warning that kubectl prints.
func TestWarn(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), warn)
	out, err := shared.Kubectl("-n", ns, "set", "image", "deployment/web", "main=app:2")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, text := range []string{"Warning:", "Rollout of Deployment " + ns + "/web is outside its maintenance windows", "image updated"} {
		if !strings.Contains(out, text) {
			t.Errorf("kubectl does not print %q:\n%s", text, out)
		}
	}
}

// TestNotes: what a window says about itself that is no error.
func TestNotes(t *testing.T) {
	mw := window(t, testName(t), "nobody", v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartTime: new("09:00"), EndTime: new("09:00")})
	c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != metav1.ConditionTrue || c.Reason != v1alpha1.ReasonCompiled {
		t.Fatalf("condition Ready: %+v", c)
	}
	for _, text := range []string{"endTime", "the next day"} {
		if !strings.Contains(c.Message, text) {
			t.Errorf("the message does not say %q: %s", text, c.Message)
		}
	}
}

// TestTwoReplicas: two operators agree; an edge is one write of the gate and one Event, and then nobody writes any more.
func TestTwoReplicas(t *testing.T) {
	operate(t, shared)
	ns := testName(t)
	namespace(t, ns)
	opens := time.Now().Add(5 * time.Second).Truncate(time.Second)
	if day(opens) != day(opens.Add(time.Minute)) {
		t.Skip("midnight is near")
	}
	mw := window(t, ns, ns, between(opens, opens.Add(time.Minute)))
	before := gateOf(t, ns)
	time.Sleep(time.Until(opens))
	eventually(t, 2*time.Second, func() error { return openIs(t.Context(), mw, metav1.ConditionTrue) })
	time.Sleep(2 * time.Second)
	after := gateOf(t, ns)
	if after.Generation != before.Generation+1 {
		t.Errorf("the gate was changed %d times at the edge", after.Generation-before.Generation)
	}
	if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
		t.Fatal(err)
	}
	versions := gateOf(t, ns).ResourceVersion + " " + mw.ResourceVersion
	time.Sleep(2 * time.Second)
	if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
		t.Fatal(err)
	}
	if now := gateOf(t, ns).ResourceVersion + " " + mw.ResourceVersion; now != versions {
		t.Errorf("still being written: %s, then %s", versions, now)
	}
	out, err := shared.Kubectl("get", "events", "-A", "-o", `jsonpath={range .items[*]}{.involvedObject.name} {.reason} {.series.count}{"\n"}{end}`)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, ns+" "+v1alpha1.ReasonWindowOpen+" \n"); n != 1 {
		t.Errorf("%d events of the opening, want 1:\n%s", n, out)
	}
}

// TestFreeze: a freeze stops what an open window lets pass; a freeze with no schedules until it is deleted.
func TestFreeze(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, always())
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))

	t.Run("of the same target", func(t *testing.T) {
		cf := freeze(t, ns+"-stop", ns, nil)
		wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:3"), "change freeze "+ns+"-stop is in force (Val: röstning pågår)")
		wantRefused(t, shared.Admin.Delete(t.Context(), d), "Delete of Deployment")
		eventually(t, 3*time.Second, func() error { return openIs(t.Context(), mw, metav1.ConditionFalse) })
		if out, err := shared.Kubectl("get", "cf", cf.Name); err != nil || !strings.Contains(out, "in force until changed or deleted") {
			t.Errorf("kubectl get cf: %v\n%s", err, out)
		}
		if err := shared.Admin.Delete(t.Context(), cf); err != nil {
			t.Fatal(err)
		}
		eventually(t, 3*time.Second, func() error { return setImage(t.Context(), shared.Admin, d, "app:3") })
	})
	t.Run("of a wider target", func(t *testing.T) {
		cf := freeze(t, ns+"-all", ns, nil, func(cf *v1alpha1.ChangeFreeze) {
			cf.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpExists}}}
		})
		wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:4"), "change freeze "+cf.Name)
		if err := shared.Admin.Delete(t.Context(), cf); err != nil {
			t.Fatal(err)
		}
		eventually(t, 5*time.Second, func() error { return setImage(t.Context(), shared.Admin, d, "app:4") })
	})
	t.Run("that warns", func(t *testing.T) {
		freeze(t, ns+"-warn", ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Enforcement = v1alpha1.Warn })
		out, err := shared.Kubectl("-n", ns, "set", "image", "deployment/web", "main=app:5")
		if err != nil || !strings.Contains(out, "Warning:") || !strings.Contains(out, "change freeze "+ns+"-warn") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("that begins later holds by the clock", func(t *testing.T) {
		begins := time.Now().Add(6 * time.Second).Truncate(time.Second)
		cf := freeze(t, ns+"-later", ns, []v1alpha1.Schedule{between(begins, begins.Add(time.Minute))}, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.TimeZone = "UTC" })
		wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:6"))
		operator.Kill()
		t.Cleanup(func() { restartOperator(t) })
		time.Sleep(time.Until(begins.Add(50 * time.Millisecond)))
		wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:7"), "change freeze "+cf.Name)
	})
}

// TestOverlap: where targets overlap, any open window opens, for those objects only that it governs too.
func TestOverlap(t *testing.T) {
	base := testName(t)
	in, out := base+"-in", base+"-out"
	namespace(t, in, "site", base, "kind", "web")
	namespace(t, out, "site", base, "kind", "db")
	inside, outside := deployment(t, in, "web", 1), deployment(t, out, "web", 1)
	labelled := deployment(t, out, "labelled", 1)

	// Partly overlapping: closed over the whole site, open over everything of kind web or api.
	window(t, base+"-site", "", nextYear(), namespaces(
		metav1.LabelSelectorRequirement{Key: "site", Operator: metav1.LabelSelectorOpIn, Values: []string{base}}))
	wantRefused(t, setImage(t.Context(), shared.Admin, inside, "app:2"), base+"-site")
	window(t, base+"-kind", "", always(), namespaces(
		metav1.LabelSelectorRequirement{Key: "kind", Operator: metav1.LabelSelectorOpIn, Values: []string{"web", "api"}},
		metav1.LabelSelectorRequirement{Key: "kind", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"old"}},
		metav1.LabelSelectorRequirement{Key: "team", Operator: metav1.LabelSelectorOpExists},
		metav1.LabelSelectorRequirement{Key: "retired", Operator: metav1.LabelSelectorOpDoesNotExist}))
	wantPassed(t, setImage(t.Context(), shared.Admin, inside, "app:2"))
	wantRefused(t, setImage(t.Context(), shared.Admin, outside, "app:2"), base+"-site")

	// Open for some workloads of the site, by their labels as they were before the request.
	window(t, base+"-objects", "", always(), everywhere, objects("app", "labelled"))
	wantPassed(t, setImage(t.Context(), shared.Admin, labelled, "app:2"))
	wantRefused(t, setImage(t.Context(), shared.Admin, outside, "app:2"), base+"-site")
	if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(outside), outside); err != nil {
		t.Fatal(err)
	}
	outside.Labels = map[string]string{"app": "labelled"}
	outside.Spec.Template.Spec.Containers[0].Image = "app:2"
	wantRefused(t, shared.Admin.Update(t.Context(), outside), base+"-site")
}

// TestNextOpeningOfAnother: the refusal tells the soonest opening, also where that is of another target.
func TestNextOpeningOfAnother(t *testing.T) {
	base := testName(t)
	namespace(t, base, "site", base)
	d := deployment(t, base, "web", 1)
	soon := time.Now().AddDate(0, 0, 3)
	window(t, base+"-wide", "", nextYear(), namespaces(
		metav1.LabelSelectorRequirement{Key: "site", Operator: metav1.LabelSelectorOpIn, Values: []string{base}}))
	window(t, base+"-narrow", "", v1alpha1.Schedule{Dates: []string{day(soon)}, StartTime: new("09:00"), EndTime: new("20:00")},
		everywhere, objects("app", "web"))
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Next opening: "+soon.UTC().Format("Mon 2 Jan 2006")+" 09:00 UTC, by "+base+"-narrow.")
}

// TestGatesAreProtected: only the operator writes gates; not even an administrator does.
func TestGatesAreProtected(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	g := gateOf(t, ns)
	g.Spec.Targets[0].Open = true
	wantRefused(t, shared.Admin.Update(t.Context(), g), "A Gate is compiled from MaintenanceWindows")
	wantRefused(t, shared.Admin.Delete(t.Context(), g), "A Gate is compiled from MaintenanceWindows")
	forged := &v1alpha1.Gate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: v1alpha1.GateName},
		Spec:       v1alpha1.GateSpec{Summary: v1alpha1.GateSummary{State: v1alpha1.GateOpen}},
	}
	wantRefused(t, shared.Admin.Create(t.Context(), forged), "A Gate is compiled from MaintenanceWindows")
}

// TestSelectorThatMatchesNothing is no error, but is told.
func TestSelectorThatMatchesNothing(t *testing.T) {
	ns := testName(t)
	mw := window(t, ns, "no-such-team", always())
	c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionGoverning)
	if c == nil || c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, "team in (no-such-team)") {
		t.Errorf("condition Governing: %+v", c)
	}
	wantEvent(t, ns, v1alpha1.ReasonNoNamespaceMatches)
	namespace(t, ns, "team", "no-such-team")
	eventually(t, 5*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
			return err
		}
		if mw.Status.Namespaces != 1 || !meta.IsStatusConditionTrue(mw.Status.Conditions, v1alpha1.ConditionGoverning) {
			return fmt.Errorf("the new namespace is not counted: %+v", mw.Status)
		}
		return nil
	})
}

// TestBrokenSchedules: what the API cannot see is told by condition and Event, and is closed.
func TestBrokenSchedules(t *testing.T) {
	for title, tc := range map[string]struct {
		schedule v1alpha1.Schedule
		options  []windowOption
		reason   string
	}{
		"rrule nonsense":      {v1alpha1.Schedule{RRule: new("FREQ=WEEKLY;BYMONTH=13"), StartTime: new("00:00"), EndTime: new("24:00")}, nil, v1alpha1.ReasonInvalidSchedule},
		"rrule never":         {v1alpha1.Schedule{RRule: new("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), StartTime: new("00:00"), EndTime: new("24:00")}, nil, v1alpha1.ReasonNeverOccurs},
		"cron never":          {v1alpha1.Schedule{Cron: new("0 0 30 2 *"), Duration: &metav1.Duration{Duration: time.Hour}}, nil, v1alpha1.ReasonNeverOccurs},
		"cron nonsense":       {v1alpha1.Schedule{Cron: new("0 0 20-10 * *"), Duration: &metav1.Duration{Duration: time.Hour}}, nil, v1alpha1.ReasonInvalidSchedule},
		"everything excluded": {always(), []windowOption{func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Exclusions = []v1alpha1.Exclusion{{Schedule: always()}} }}, v1alpha1.ReasonNeverOccurs},
		"all cutoff": {v1alpha1.Schedule{Cron: new("* * * * *"), Duration: &metav1.Duration{Duration: time.Minute}}, []windowOption{func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Schedules = []v1alpha1.Schedule{{RRule: new("FREQ=DAILY"), StartTime: new("09:00"), EndTime: new("10:00")}}
			mw.Spec.Cutoff = &metav1.Duration{Duration: 2 * time.Hour}
		}}, v1alpha1.ReasonCutoffTooLong},
	} {
		t.Run(title, func(t *testing.T) {
			ns := testName(t)
			namespace(t, ns)
			d := deployment(t, ns, "web", 1)
			mw := window(t, ns, ns, tc.schedule, tc.options...)
			c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionReady)
			if c == nil || c.Status != metav1.ConditionFalse || c.Reason != tc.reason || !strings.Contains(c.Message, "spec.") {
				t.Errorf("condition Ready: %+v, want False with %s", c, tc.reason)
			}
			wantEvent(t, ns, tc.reason)
			wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "No coming opening is known")
		})
	}
}

// TestNamespaces: a namespace is governed at once when it is created or relabelled; while no operator runs, when one is back. Until then
// nothing there is refused, and nobody takes it for governed: it has neither Gate nor label.
func TestNamespaces(t *testing.T) {
	base := testName(t)
	window(t, base, base, nextYear())
	relabel := func(name string) {
		t.Helper()
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		wantPassed(t, shared.Admin.Patch(t.Context(), ns, mergePatch(`{"metadata":{"labels":{"team":%q}}}`, base)))
	}
	refused := func(limit time.Duration, namespace string) {
		t.Helper()
		eventually(t, limit, func() error {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "web"}}
			if err := setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:9"); !apierrors.IsForbidden(err) {
				return fmt.Errorf("not refused: %v", err)
			}
			return nil
		})
	}
	namespace(t, base+"-created", "team", base)
	deployment(t, base+"-created", "web", 1)
	refused(2*time.Second, base+"-created")
	namespace(t, base+"-relabelled")
	d := deployment(t, base+"-relabelled", "web", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	relabel(base + "-relabelled")
	refused(2*time.Second, base+"-relabelled")

	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	late := []string{base + "-created-late", base + "-relabelled-late"}
	namespace(t, late[0], "team", base)
	namespace(t, late[1])
	relabel(late[1])
	for _, name := range late {
		d := deployment(t, name, "web", 1)
		wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if get(t, ns); ns.Labels[v1alpha1.GatedLabel] != "" {
			t.Errorf("Namespace %s says that it has a Gate", name)
		}
	}
	refused(time.Second, base+"-created") // what was governed is
	refused(time.Second, base+"-relabelled")
	restartOperator(t)
	for _, name := range late {
		refused(5*time.Second, name)
	}
}

// TestWindowsGone: when all windows and freezes of a namespace are deleted while no operator runs, the garbage collector takes its Gate
// away, and with that everything passes; but not while one is left. The operator takes the label away later.
func TestWindowsGone(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw, another := window(t, ns, ns, nextYear()), window(t, ns+"-2", ns, nextYear())
	cf := freeze(t, ns, ns, []v1alpha1.Schedule{nextYear()})
	gate := gateOf(t, ns)
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	wantPassed(t, shared.Admin.Delete(t.Context(), cf))
	time.Sleep(3 * time.Second) // the garbage collector looks at it
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
	wantPassed(t, shared.Admin.Delete(t.Context(), another))
	gone(t, gate)
	eventually(t, 10*time.Second, func() error { return setImage(t.Context(), shared.Admin, d, "app:2") })
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	wantPassed(t, client.NewDryRunClient(shared.Admin).Delete(t.Context(), space))
	restartOperator(t)
	eventually(t, 5*time.Second, func() error {
		if get(t, space); space.Labels[v1alpha1.GatedLabel] != "" {
			return fmt.Errorf("the label is still there: %v", space.Labels)
		}
		return nil
	})
}

// TestGateIsTrimmed: a Gate loses the notes of who wrote which field soon after it is created, has none when it is rewritten, and is then
// left alone.
func TestGateIsTrimmed(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	gate := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: v1alpha1.GateName}}
	eventually(t, 10*time.Second, func() error {
		get(t, gate)
		if n := len(gate.ManagedFields); n > 0 {
			return fmt.Errorf("%d notes of fields", n)
		}
		return nil
	})
	generation := gate.Generation
	window(t, ns+"-too", ns, nextYear(), warn)
	get(t, gate)
	if gate.Generation == generation || len(gate.ManagedFields) > 0 {
		t.Errorf("generation %d after %d, with %d notes of fields", gate.Generation, generation, len(gate.ManagedFields))
	}
	version := gate.ResourceVersion
	time.Sleep(time.Second)
	if get(t, gate); gate.ResourceVersion != version {
		t.Error("it was written again though nothing has changed")
	}
}
