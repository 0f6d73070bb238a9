package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/test/cluster"
)

// toldEnforced is the condition Enforced of a window.
func toldEnforced(t *testing.T, name string) metav1.Condition {
	t.Helper()
	var mw v1alpha1.MaintenanceWindow
	if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: name}, &mw); err != nil {
		t.Fatal(err)
	}
	if c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionEnforced); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// untilTold waits until a window says why it is not enforced, and whom it concerns, and returns after how long.
func untilTold(t *testing.T, window, reason, says string) time.Duration {
	t.Helper()
	start := time.Now()
	eventually(t, 15*time.Second, func() error {
		if c := toldEnforced(t, window); c.Reason != reason || !strings.Contains(c.Message, says) {
			return fmt.Errorf("want %s of %s: %+v", reason, says, c)
		}
		return nil
	})
	return time.Since(start).Round(time.Millisecond)
}

// allPolicies are the policies of this version that the API server has the kinds of.
func allPolicies(t *testing.T) (list []client.Object) {
	for _, p := range policies().Validating {
		list = append(list, p)
	}
	if canMutate(t) {
		for _, p := range policies().Mutating {
			list = append(list, p)
		}
	}
	return list
}

func allStaticBindings(t *testing.T) (list []client.Object) {
	for _, b := range policies().ValidatingBindings {
		list = append(list, b)
	}
	if canMutate(t) {
		for _, b := range policies().MutatingBindings {
			list = append(list, b)
		}
	}
	return list
}

// kindName is an object as conditions name it.
func kindName(o client.Object) string {
	return o.GetObjectKind().GroupVersionKind().Kind + " " + o.GetName()
}

// live reads an object anew into one of its type.
func live(t *testing.T, o client.Object) (client.Object, error) {
	t.Helper()
	current := o.DeepCopyObject().(client.Object)
	return current, shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), current)
}

func specOf(o client.Object) any {
	switch o := o.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		return &o.Spec
	case *admissionv1.MutatingAdmissionPolicy:
		return &o.Spec
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return &o.Spec
	case *admissionv1.MutatingAdmissionPolicyBinding:
		return &o.Spec
	}
	return nil
}

// spoil is what somebody could change of a policy or binding so that it does less; n chooses what.
func spoil(o client.Object, n int) string {
	nothing := &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"no": "such"}}}
	switch o := o.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		switch n % 4 {
		case 0:
			o.Spec.FailurePolicy = new(admissionv1.Ignore)
			return "failurePolicy Ignore"
		case 1:
			o.Spec.MatchConstraints.ObjectSelector = nothing.ObjectSelector
			return "an objectSelector"
		case 2:
			o.Spec.MatchConditions = append(o.Spec.MatchConditions, admissionv1.MatchCondition{Name: "never", Expression: "false"})
			return "a matchCondition"
		}
		o.Spec.MatchConstraints.ExcludeResourceRules = append(o.Spec.MatchConstraints.ExcludeResourceRules, o.Spec.MatchConstraints.ResourceRules...)
		return "an exclusion"
	case *admissionv1.MutatingAdmissionPolicy:
		o.Spec.FailurePolicy = new(admissionv1.Ignore)
		return "failurePolicy Ignore"
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		if n%2 == 0 {
			o.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Audit}
			return "Audit only"
		}
		o.Labels, o.Spec.MatchResources = nil, nothing
		return "an objectSelector, and no label"
	case *admissionv1.MutatingAdmissionPolicyBinding:
		o.Spec.MatchResources = nothing
		return "an objectSelector"
	}
	return ""
}

// TestPoliciesAreMissed deletes and changes each policy in turn: windows and freezes tell of it, and the metric; and no longer, once it
// is as it was. It prints after how long.
func TestPoliciesAreMissed(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	freeze(t, ns, ns, []v1alpha1.Schedule{nextYear()})
	metrics := metricsReader(t)
	defer policiesRead(t)
	untilTold(t, ns, v1alpha1.ReasonEnforced, "")
	var worstTold, worstMetric, worstAgain time.Duration
	for i, p := range allPolicies(t) {
		check := func(what, reason string, restore func() error) {
			start := time.Now()
			defer func() {
				if err := restore(); err != nil && !t.Failed() {
					t.Fatal(err)
				}
			}()
			told := untilTold(t, ns, reason, kindName(p))
			eventually(t, 5*time.Second, func() error {
				if !strings.Contains(metrics(), "\nfonster_policies_missing 1\n") {
					return fmt.Errorf("the metric does not tell")
				}
				return nil
			})
			metric := time.Since(start).Round(time.Millisecond)
			if err := restore(); err != nil {
				t.Fatal(err)
			}
			restore = func() error { return nil }
			again := untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
			fmt.Printf("probe %s %s: told after %s, metric after %s; after make install well again after %s\n", kindName(p), what, told, metric, again)
			worstTold, worstMetric, worstAgain = max(worstTold, told), max(worstMetric, metric), max(worstAgain, again)
		}
		if err := shared.Admin.Delete(t.Context(), p.DeepCopyObject().(client.Object)); err != nil {
			t.Fatal(err)
		}
		check("deleted", v1alpha1.ReasonPoliciesMissing, func() error { return shared.Admin.Create(t.Context(), p.DeepCopyObject().(client.Object)) })
		current, err := live(t, p)
		if err != nil {
			t.Fatal(err)
		}
		what := spoil(current, i)
		if err := shared.Admin.Update(t.Context(), current); err != nil {
			t.Fatal(err)
		}
		check("changed: "+what, v1alpha1.ReasonPoliciesChanged, func() error {
			wanted := p.DeepCopyObject().(client.Object)
			wanted.SetResourceVersion(current.GetResourceVersion())
			return shared.Admin.Update(t.Context(), wanted)
		})
	}
	fmt.Printf("probe worst of %d policies: told after %s, metric after %s, well again after %s\n", len(allPolicies(t)), worstTold, worstMetric, worstAgain)
}

// TestMissingIsTold: what a policy that is gone looks like to people: in kubectl get, on freezes too, once as an Event, and in one line
// of the log; and make install brings everything back, also what apply alone would leave.
func TestMissingIsTold(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	freeze(t, ns, ns, []v1alpha1.Schedule{nextYear()})
	untilTold(t, ns, v1alpha1.ReasonEnforced, "")
	lines := strings.Count(operator.Log(), "not all that windows")
	defer func() {
		if err := shared.Install(); err != nil {
			t.Error(err)
		}
		policiesRead(t)
	}()
	for i, p := range policies().Validating[:4] {
		current, err := live(t, p)
		if err != nil {
			t.Fatal(err)
		}
		spoil(current, i)
		if err := shared.Admin.Update(t.Context(), current); err != nil {
			t.Fatal(err)
		}
	}
	untilTold(t, ns, v1alpha1.ReasonPoliciesChanged, policies().Validating[3].Name)
	if err := shared.Admin.Delete(t.Context(), policies().Validating[4]); err != nil {
		t.Fatal(err)
	}
	untilTold(t, ns, v1alpha1.ReasonPoliciesMissing, policies().Validating[4].Name)
	eventually(t, 5*time.Second, func() error {
		var cf v1alpha1.ChangeFreeze
		if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: ns}, &cf); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(cf.Status.Conditions, v1alpha1.ConditionEnforced); c == nil || c.Reason != v1alpha1.ReasonPoliciesMissing {
			return fmt.Errorf("the freeze does not tell: %+v", c)
		}
		return nil
	})
	for _, kind := range []string{"mw", "cf"} {
		out, err := shared.Kubectl("get", kind, ns)
		if fields := strings.Fields(out); err != nil || !strings.Contains(out, "ENFORCED") || fields[len(strings.Fields(strings.Split(out, "\n")[0]))+2] != "False" {
			t.Errorf("kubectl get %s does not tell: %v\n%s", kind, err, out)
		}
	}
	told := func() (n int) {
		var events eventsv1.EventList
		if err := shared.Admin.List(t.Context(), &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events.Items {
			if e.Regarding.Name == ns && e.Regarding.Kind == "MaintenanceWindow" && e.Reason == v1alpha1.ReasonPoliciesMissing {
				n++
			}
		}
		return n
	}
	eventually(t, 5*time.Second, func() error {
		if told() == 0 {
			return fmt.Errorf("no Event")
		}
		return nil
	})
	time.Sleep(time.Second)
	if n := told(); n != 1 {
		t.Errorf("%d Events of one policy that is gone", n)
	}
	if n := strings.Count(operator.Log(), "not all that windows") - lines; n != 5 {
		t.Errorf("%d lines in the log of five changes", n)
	}
	start := time.Now()
	if err := shared.Install(); err != nil {
		t.Fatal(err)
	}
	untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
	fmt.Printf("probe make install over four changed policies and a deleted one: all well after %s\n", time.Since(start).Round(time.Millisecond))
}

// TestStaticBindingsAreRestored deletes and changes each static binding in turn. It prints after how long it is back.
func TestStaticBindingsAreRestored(t *testing.T) {
	defer policiesRead(t)
	var worst time.Duration
	for i, b := range allStaticBindings(t) {
		restored := func(what string) {
			t.Helper()
			start := time.Now()
			eventually(t, 15*time.Second, func() error {
				current, err := live(t, b)
				if err != nil {
					return err
				}
				if !equality.Semantic.DeepEqual(specOf(current), specOf(b)) || current.GetLabels()[v1alpha1.ManagedByLabel] != v1alpha1.ManagedBy {
					return fmt.Errorf("%s is not as it was: %+v", kindName(b), specOf(current))
				}
				return nil
			})
			after := time.Since(start).Round(time.Millisecond)
			fmt.Printf("probe %s %s: restored after %s\n", kindName(b), what, after)
			worst = max(worst, after)
		}
		if err := shared.Admin.Delete(t.Context(), b.DeepCopyObject().(client.Object)); err != nil {
			t.Fatal(err)
		}
		restored("deleted")
		current, err := live(t, b)
		if err != nil {
			t.Fatal(err)
		}
		what := spoil(current, i)
		if err := shared.Admin.Update(t.Context(), current); err != nil {
			t.Fatal(err)
		}
		restored("changed: " + what)
	}
	fmt.Printf("probe worst of %d static bindings: restored after %s\n", len(allStaticBindings(t)), worst)
}

// TestBindingThatCannotBeRestored: an operator without the right is not ready, and every window says so; with it, all is well again.
func TestBindingThatCannotBeRestored(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	untilTold(t, ns, v1alpha1.ReasonEnforced, "")
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "fonster-manager"}}
	get(t, role)
	rules := role.DeepCopy().Rules
	setRules := func(rules []rbacv1.PolicyRule) {
		t.Helper()
		get(t, role)
		role.Rules = rules
		if err := shared.Admin.Update(t.Context(), role); err != nil {
			t.Fatal(err)
		}
	}
	defer policiesRead(t)
	weak := role.DeepCopy().Rules
	for i := range weak {
		if strings.Contains(strings.Join(weak[i].Resources, " "), "bindings") {
			weak[i].Verbs = []string{"get", "list", "watch"}
		}
	}
	setRules(weak)
	restored := false
	defer func() {
		if !restored {
			setRules(rules)
		}
	}()
	b := policies().ValidatingBindings[0]
	eventually(t, 10*time.Second, func() error { // the authorizer learns of the change a little later
		if err := client.IgnoreNotFound(shared.Admin.Delete(t.Context(), b.DeepCopy())); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		if _, err := live(t, b); !apierrors.IsNotFound(err) {
			return fmt.Errorf("restored all the same: %v", err)
		}
		return nil
	})
	untilTold(t, ns, v1alpha1.ReasonBindingsMissing, b.Name)
	if err := operator.Ready(t.Context()); err == nil {
		t.Error("ready, though it cannot write what keeps the gates")
	}
	setRules(rules)
	restored = true
	untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
	wantPassed(t, operator.Ready(t.Context()))
}

// refuseGate lets the API server refuse the Gates for which an expression is true, until the returned function is called.
func refuseGate(t *testing.T, name, expression string) (stop func()) {
	t.Helper()
	p := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"gates"}},
			}}}},
			Validations: []admissionv1.Validation{{Expression: "!(" + expression + ")", Message: "the test refuses this gate"}},
		},
	}
	b := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	}
	create(t, p)
	create(t, b)
	policiesRead(t)
	return func() {
		t.Helper()
		if err := shared.Admin.Delete(t.Context(), b.DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
}

// setSchedule gives a window another schedule.
func setSchedule(t *testing.T, mw *v1alpha1.MaintenanceWindow, s v1alpha1.Schedule) {
	t.Helper()
	eventually(t, 5*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(mw), mw); err != nil {
			return err
		}
		mw.Spec.Schedules = []v1alpha1.Schedule{s}
		return shared.Admin.Update(t.Context(), mw)
	})
}

// untilState waits until the gate of a window has a state, and returns it.
func untilState(t *testing.T, mw *v1alpha1.MaintenanceWindow, limit time.Duration, state v1alpha1.GateState) *v1alpha1.Gate {
	t.Helper()
	g := &v1alpha1.Gate{}
	eventually(t, limit, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: mw.Status.Gate}, g); err != nil {
			return err
		}
		if got := g.Spec.Disruptions[0].State; got != state {
			return fmt.Errorf("the gate is %s, want %s", got, state)
		}
		return nil
	})
	return g
}

// TestGateThatCannotBeWritten: where what others open makes a gate unwritable, it closes without; where it cannot be written at all, its
// windows say so and no others, the operator is not ready, and the log tells it once; and all is well as soon as it can be again.
func TestGateThatCannotBeWritten(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, "other-"+ns)
	mw := window(t, ns, ns, always())
	window(t, "elsewhere-"+ns, "", always(), everywhere, objects("app", "elsewhere"), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpIn, Values: []string{ns, "other-" + ns}}}}
	})
	window(t, "other-"+ns, "other-"+ns, nextYear())
	ofGate := "object.metadata.name == '" + mw.Status.Gate + "'"

	stop := refuseGate(t, "others-"+ns, ofGate+" && object.spec.?alsoOpen.orValue([]).size() > 0")
	setSchedule(t, mw, nextYear())
	if g := untilState(t, mw, 5*time.Second, v1alpha1.GateClosed); len(g.Spec.AlsoOpen) != 0 || g.Spec.AlsoOpenOmitted != 1 {
		t.Errorf("%d openings elsewhere, %d omitted", len(g.Spec.AlsoOpen), g.Spec.AlsoOpenOmitted)
	}
	untilTold(t, ns, v1alpha1.ReasonEnforced, "could only be written without")
	wantPassed(t, operator.Ready(t.Context()))
	stop()
	untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
	setSchedule(t, mw, always())
	untilState(t, mw, 5*time.Second, v1alpha1.GateOpen)

	stop = refuseGate(t, "all-"+ns, ofGate)
	lines, before := strings.Count(operator.Log(), "not all that windows"), len(operator.Log())
	metrics := metricsReader(t)
	setSchedule(t, mw, nextYear())
	fmt.Printf("probe a Gate that cannot be written: told after %s\n", untilTold(t, ns, v1alpha1.ReasonGateNotWritten, "the test refuses this gate"))
	if err := operator.Ready(t.Context()); err == nil {
		t.Error("ready, though a gate cannot be written")
	}
	if c := toldEnforced(t, "other-"+ns); c.Status != metav1.ConditionTrue {
		t.Errorf("another window, whose gate is well: %+v", c)
	}
	if text := metrics(); !strings.Contains(text, "\nfonster_gates_unwritten 1\n") {
		t.Error("the metric does not tell")
	}
	time.Sleep(2 * time.Second) // several retries
	if n := strings.Count(operator.Log(), "not all that windows") - lines; n != 1 {
		t.Errorf("%d lines in the log of one trouble", n)
	}
	if log := operator.Log()[before:]; strings.Count(log, "the test refuses this gate") > 1 {
		t.Errorf("retries are logged:\n%s", log)
	}
	stop()
	start := time.Now()
	untilState(t, mw, 15*time.Second, v1alpha1.GateClosed)
	untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
	wantPassed(t, operator.Ready(t.Context()))
	fmt.Printf("probe a Gate that can be written again: written and told after %s\n", time.Since(start).Round(time.Millisecond))
}

// TestManyLargeWindowsElsewhere: a gate closes on time, also for what has no clock, whatever others open over parts of its target.
func TestManyLargeWindowsElsewhere(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	mw := window(t, ns, ns, always(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown, v1alpha1.Evict}
	})
	for i := range 24 {
		not := func(what string) *metav1.LabelSelector {
			r := metav1.LabelSelectorRequirement{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn}
			for j := range 64 {
				r.Values = append(r.Values, fmt.Sprintf("%s-%s-%04d-%04d", what, strings.Repeat("x", 45), i, j))
			}
			return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{r}}
		}
		create(t, &v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", ns, i)},
			Spec: v1alpha1.MaintenanceWindowSpec{
				TimeZone: "UTC", Schedules: []v1alpha1.Schedule{always()}, Enforcement: v1alpha1.Warn,
				NamespaceSelector: not("n"), ObjectSelector: not("o"), Disruptions: []v1alpha1.Disruption{v1alpha1.Evict},
			},
		})
	}
	closes := time.Now().Add(8 * time.Second).Truncate(time.Second)
	if day(closes) != day(time.Now()) {
		t.Skip("midnight is near")
	}
	setSchedule(t, mw, between(closes.Add(-time.Minute), closes))
	time.Sleep(time.Until(closes))
	g := untilState(t, mw, 5*time.Second, v1alpha1.GateClosed)
	late := time.Since(closes)
	content, err := json.Marshal(g.Spec)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("probe a Gate beside 24 large windows: closed %s after the edge, %d KiB, %d openings listed, %d omitted\n",
		late.Round(time.Millisecond), len(content)>>10, len(g.Spec.AlsoOpen), g.Spec.AlsoOpenOmitted)
	if most := gate.MaxAlsoOpenBytes + gate.MaxNextOpeningsBytes + 4<<10; len(content) > most || len(g.Spec.AlsoOpen)+int(g.Spec.AlsoOpenOmitted) != 24 {
		t.Errorf("%d bytes, %d openings listed and %d omitted", len(content), len(g.Spec.AlsoOpen), g.Spec.AlsoOpenOmitted)
	}
	if late > 3*time.Second {
		t.Errorf("closed %s late", late)
	}
	wantRefused(t, client.NewDryRunClient(shared.Admin).Delete(t.Context(), d.DeepCopy()), "Delete of Deployment")
	untilTold(t, ns, v1alpha1.ReasonEnforced, "have no room in Gate")
}

// TestGatesOfOldNames: an operator that names gates otherwise takes over a closed one without a moment in which it lets through.
func TestGatesOfOldNames(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	mw := window(t, ns, ns, nextYear())
	governed(t, 10*time.Second, shared.Admin, d)
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	old := mw.Status.Gate[:len(mw.Status.Gate)-8]
	writer := as(t, "system:kube-controller-manager")
	g := &v1alpha1.Gate{}
	if err := writer.Get(t.Context(), client.ObjectKey{Name: mw.Status.Gate}, g); err != nil {
		t.Fatal(err)
	}
	renamed := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Name: old, Labels: g.Labels}, Spec: g.Spec}
	if err := writer.Create(t.Context(), renamed); err != nil {
		t.Fatal(err)
	}
	var bindings admissionv1.ValidatingAdmissionPolicyBindingList
	if err := writer.List(t.Context(), &bindings, client.MatchingLabels{doors.GateLabel: g.Name}); err != nil {
		t.Fatal(err)
	}
	for _, b := range bindings.Items {
		copied := b.DeepCopy()
		copied.ObjectMeta = metav1.ObjectMeta{
			Name: strings.Replace(b.Name, g.Name, old, 1), OwnerReferences: b.OwnerReferences,
			Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy, doors.GateLabel: old},
		}
		copied.Spec.ParamRef.Name = old
		if err := writer.Create(t.Context(), copied); err != nil {
			t.Fatal(err)
		}
	}
	policiesRead(t)
	for i := range bindings.Items {
		if err := writer.Delete(t.Context(), &bindings.Items[i]); err != nil {
			t.Fatal(err)
		}
	}
	policiesRead(t)
	if err := writer.Delete(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	dry := client.NewDryRunClient(shared.Admin)
	stop, asked, passed := make(chan bool), 0, 0
	done := make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			if asked++; setImage(t.Context(), dry, d, "app:2") == nil {
				passed++
			}
		}
	}()
	restartOperator(t)
	eventually(t, 20*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: old}, &v1alpha1.Gate{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the gate of the old name is still there: %v", err)
		}
		return nil
	})
	time.Sleep(2 * time.Second)
	close(stop)
	<-done
	fmt.Printf("probe a gate of an old name is replaced: %d of %d rollouts passed meanwhile\n", passed, asked)
	if passed > 0 || asked < 50 {
		t.Errorf("%d of %d rollouts passed", passed, asked)
	}
	if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: mw.Status.Gate}, &v1alpha1.Gate{}); err != nil {
		t.Error(err)
	}
}

// TestInstallTellsWhatIsLeft: what carries the label and is not of this version is named, and left; the bindings of gates are not named.
func TestInstallTellsWhatIsLeft(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	create(t, &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "fonster-of-another-version", Labels: map[string]string{v1alpha1.ManagedByLabel: v1alpha1.ManagedBy}},
		Spec:       admissionv1.ValidatingAdmissionPolicyBindingSpec{PolicyName: "fonster-of-another-version", ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny}},
	})
	install := exec.Command("hack/install.sh")
	install.Dir = cluster.Root()
	install.Env = append(os.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	out, err := install.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const want = "Not of this version, and left as it is (docs/upgrade.md tells what to do):\nvalidatingadmissionpolicybinding.admissionregistration.k8s.io/fonster-of-another-version\n"
	if _, after, found := strings.Cut(string(out), want); !found || strings.Contains(after, "fonster-") {
		t.Errorf("it should say %q alone:\n%s", want, out)
	}
}

// TestUninstall: nothing is left, also where an operator runs that make does not know of, and restores what it misses.
func TestUninstall(t *testing.T) {
	c, err := cluster.Start(fmt.Sprintf("fonster-gone-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.StartOperator(t.Context()); err != nil {
		t.Fatal(err)
	}
	uninstall := exec.Command("make", "uninstall")
	uninstall.Dir = cluster.Root()
	uninstall.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	if out, err := uninstall.CombinedOutput(); err != nil {
		t.Fatalf("make uninstall: %v\n%s", err, out)
	}
	time.Sleep(2 * time.Second) // for the operator to restore what it could
	for _, kind := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		if out, err := c.Kubectl("get", kind, "-o", "name"); err == nil && strings.Contains(out, "fonster") {
			t.Errorf("left of %s:\n%s", kind, out)
		}
	}
}
