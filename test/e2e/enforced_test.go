package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/policy"
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

// allInstalled are the policies and bindings of this version that the API server has the kinds of.
func allInstalled(t *testing.T) (list []client.Object) {
	for _, p := range policies().Validating {
		list = append(list, p)
	}
	for _, b := range policies().ValidatingBindings {
		list = append(list, b)
	}
	if !canMutate(t) {
		return list
	}
	for _, p := range policies().Mutating {
		list = append(list, p)
	}
	for _, b := range policies().MutatingBindings {
		list = append(list, b)
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

// spoilLive writes what spoil changes of a policy or binding as it is in the cluster, again where the API server has just written its status.
func spoilLive(t *testing.T, o client.Object, n int) (current client.Object, what string) {
	t.Helper()
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() (err error) {
		if current, err = live(t, o); err != nil {
			return err
		}
		what = spoil(current, n)
		return shared.Admin.Update(t.Context(), current)
	}); err != nil {
		t.Fatal(err)
	}
	return current, what
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
			action := admissionv1.Audit
			if slices.Contains(o.Spec.ValidationActions, action) {
				action = admissionv1.Warn
			}
			o.Spec.ValidationActions = []admissionv1.ValidationAction{action}
			return string(action) + " only"
		}
		o.Labels, o.Spec.MatchResources = nil, nothing
		return "an objectSelector, and no label"
	case *admissionv1.MutatingAdmissionPolicyBinding:
		o.Spec.MatchResources = nothing
		return "an objectSelector"
	}
	return ""
}

// TestPoliciesAreMissed deletes and changes each policy and binding in turn: windows and freezes tell of it, and the metric; and no longer,
// once it is as it was. The operator has no right to write any of them, and leaves what is changed as it is. It prints after how long.
func TestPoliciesAreMissed(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	window(t, ns, ns, nextYear())
	freeze(t, ns, ns, []v1alpha1.Schedule{nextYear()})
	metrics := metricsReader(t)
	defer policiesRead(t)
	untilTold(t, ns, v1alpha1.ReasonEnforced, "")
	var worstTold, worstMetric, worstAgain time.Duration
	for i, p := range allInstalled(t) {
		var version string // of what it is while it is missed; empty: it is gone
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
			if now, _ := live(t, p); now.GetResourceVersion() != version {
				t.Errorf("%s %s: somebody has written it: version %q, then %q", kindName(p), what, version, now.GetResourceVersion())
			}
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
		current, what := spoilLive(t, p, i)
		version = current.GetResourceVersion()
		check("changed: "+what, v1alpha1.ReasonPoliciesChanged, func() error {
			wanted := p.DeepCopyObject().(client.Object)
			wanted.SetResourceVersion(current.GetResourceVersion())
			return shared.Admin.Update(t.Context(), wanted)
		})
	}
	fmt.Printf("probe worst of %d policies and bindings: told after %s, metric after %s, well again after %s\n", len(allInstalled(t)), worstTold, worstMetric, worstAgain)
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
		spoilLive(t, p, i)
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

// TestNoRightToBindings: the operator writes nobody's policies or bindings, and cannot, whoever has its token.
func TestNoRightToBindings(t *testing.T) {
	for _, resource := range []string{
		"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings",
	} {
		for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection"} {
			out, err := shared.Kubectl("auth", "can-i", verb, resource+".admissionregistration.k8s.io", "--as="+policy.Identity{}.User())
			if !strings.HasSuffix("\n"+strings.TrimSpace(out), "\nno") { // after a warning
				t.Errorf("kubectl auth can-i %s %s: %v %s", verb, resource, err, out)
			}
		}
	}
}

// TestOperatorWithoutRights: an operator that has no right to write a Gate, or the label by which policies look at it, is not ready, and
// the windows that it concerns say so; with the rights, all is well again.
func TestOperatorWithoutRights(t *testing.T) {
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
		time.Sleep(time.Second) // the authorizer learns of the change a little later
	}
	t.Cleanup(func() {
		_, _ = shared.Kubectl("apply", "--server-side", "--force-conflicts", "-k", "../../config/rbac")
	})
	for _, resource := range []string{"gates", "namespaces"} {
		t.Run(resource, func(t *testing.T) {
			ns := testName(t)
			namespace(t, ns)
			d := deployment(t, ns, "web", 1)
			weak := (&rbacv1.ClusterRole{Rules: rules}).DeepCopy().Rules
			for i := range weak {
				if slices.Contains(weak[i].Resources, resource) {
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
			mw := &v1alpha1.MaintenanceWindow{
				ObjectMeta: metav1.ObjectMeta{Name: ns},
				Spec: v1alpha1.MaintenanceWindowSpec{
					TimeZone: "UTC", Schedules: []v1alpha1.Schedule{nextYear()}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": ns}},
				},
			}
			create(t, mw)
			untilTold(t, ns, v1alpha1.ReasonGateNotWritten, "namespace "+ns)
			if err := operator.Ready(t.Context()); err == nil {
				t.Error("ready, though it cannot write what keeps the gates")
			}
			wantPassed(t, setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2"))
			setRules(rules)
			restored = true
			inForce(t, mw)
			wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment")
			untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
			wantPassed(t, operator.Ready(t.Context()))
		})
	}
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

// untilOpen waits until the whole Gate of a namespace is open, or none of it is, and returns it.
func untilOpen(t *testing.T, namespace string, limit time.Duration, open bool) *v1alpha1.Gate {
	t.Helper()
	g := &v1alpha1.Gate{}
	eventually(t, limit, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.GateName}, g); err != nil {
			return err
		}
		if len(g.Spec.Targets) == 0 || g.Spec.Targets[0].ObjectSelector != nil || g.Spec.Targets[0].Open != open {
			return fmt.Errorf("the gate of %s is %s, want open: %t", namespace, g.Spec.Summary.State, open)
		}
		return nil
	})
	return g
}

// TestGateThatCannotBeWritten: where a Gate cannot be written, the windows that govern the namespace say so and no others, the Gates of all
// other namespaces turn in time, the operator is not ready, and the log tells it once; and all is well as soon as it can be again.
func TestGateThatCannotBeWritten(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	namespace(t, "same-"+ns, "team", ns)
	namespace(t, "other-"+ns)
	mw := window(t, ns, ns, always())
	window(t, "other-"+ns, "other-"+ns, nextYear())
	untilOpen(t, ns, 5*time.Second, true)

	stop := refuseGate(t, "all-"+ns, "object.metadata.namespace == '"+ns+"'")
	lines, before := strings.Count(operator.Log(), "not all that windows"), len(operator.Log())
	metrics := metricsReader(t)
	setSchedule(t, mw, nextYear())
	fmt.Printf("probe a Gate that cannot be written: told after %s\n", untilTold(t, ns, v1alpha1.ReasonGateNotWritten, "the test refuses this gate"))
	untilOpen(t, "same-"+ns, time.Second, false)
	untilOpen(t, ns, 0, true)
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
	untilOpen(t, ns, 15*time.Second, false)
	untilTold(t, ns, v1alpha1.ReasonEnforced, "holds requests")
	wantPassed(t, operator.Ready(t.Context()))
	fmt.Printf("probe a Gate that can be written again: written and told after %s\n", time.Since(start).Round(time.Millisecond))
}

// TestManyLargeWindows: a gate closes on time, also for what has no clock, whatever others write that governs parts of its namespace; its
// size has a bound, and what there is no room for is told, and closed.
func TestManyLargeWindows(t *testing.T) {
	const many = 40
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	mw := window(t, ns, ns, always(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown, v1alpha1.Evict}
	})
	for i := range many {
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
	closes := time.Now().Add(14 * time.Second).Truncate(time.Second)
	if day(closes) != day(time.Now()) {
		t.Skip("midnight is near")
	}
	setSchedule(t, mw, between(closes.Add(-time.Minute), closes))
	wantPassed(t, client.NewDryRunClient(shared.Admin).Delete(t.Context(), d.DeepCopy()))
	time.Sleep(time.Until(closes))
	g := untilOpen(t, ns, 5*time.Second, false)
	late := time.Since(closes)
	content, err := json.Marshal(g.Spec)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("probe a Gate beside %d large windows: closed %s after the edge, %d KiB, %d targets\n", many, late.Round(time.Millisecond), len(content)>>10, len(g.Spec.Targets))
	const most = v1alpha1.MaxGateSelectors * (v1alpha1.MaxSelectorValues*67 + 1<<10)
	selectors := map[string]bool{}
	for _, target := range g.Spec.Targets {
		selectors[target.ObjectSelector.String()] = true
	}
	if len(content) > most || len(selectors) > v1alpha1.MaxGateSelectors {
		t.Errorf("%d bytes, %d selectors", len(content), len(selectors))
	}
	if late > 3*time.Second {
		t.Errorf("closed %s late", late)
	}
	time.Sleep(200 * time.Millisecond) // the API server hears of it by its own watch
	wantRefused(t, client.NewDryRunClient(shared.Admin).Delete(t.Context(), d.DeepCopy()), "Delete of Deployment")
	untilTold(t, ns, v1alpha1.ReasonEnforced, "The Gate has no room for all windows and freezes in namespace "+ns)
}

// TestGateOfAnotherVersion: an operator that writes Gates otherwise takes over a closed one without a moment in which it lets through.
func TestGateOfAnotherVersion(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	g := gateOf(t, ns)
	operator.Kill()
	t.Cleanup(func() { restartOperator(t) })
	// Another version has another summary, more labels, other names and targets, and no owners.
	other := g.DeepCopy()
	other.Labels["maintenance.fonster.dev/of-another-version"] = "true"
	other.OwnerReferences = nil
	other.Spec.Summary = v1alpha1.GateSummary{State: v1alpha1.GateMixed}
	other.Spec.Targets[0].Windows = []string{"another"}
	other.Spec.Targets[0].Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout}
	other.Spec.LabelKeys = nil
	wantPassed(t, as(t, "system:kube-controller-manager").Update(t.Context(), other))
	dry := client.NewDryRunClient(shared.Admin)
	eventually(t, 5*time.Second, func() error {
		if err := setImage(t.Context(), dry, d, "app:2"); err == nil || !strings.Contains(err.Error(), "(another)") {
			return fmt.Errorf("not in force yet: %v", err)
		}
		return nil
	})
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
		now := gateOf(t, ns)
		if !equality.Semantic.DeepEqual(now.Spec, g.Spec) || !equality.Semantic.DeepEqual(now.Labels, g.Labels) || len(now.OwnerReferences) != 1 {
			return fmt.Errorf("the gate of another version is still there: %v %+v", now.Labels, now.Spec)
		}
		return nil
	})
	time.Sleep(2 * time.Second)
	close(stop)
	<-done
	fmt.Printf("probe a gate of another version is replaced: %d of %d rollouts passed meanwhile\n", passed, asked)
	if passed > 0 || asked < 50 {
		t.Errorf("%d of %d rollouts passed", passed, asked)
	}
}

// TestInstallTellsWhatIsLeft: what carries the label and is not of this version is named, and left.
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

// TestUninstall: nothing is left, also where windows are closed, and an operator runs that make does not know of; and everything passes.
func TestUninstall(t *testing.T) {
	c := alone(t, "gone")
	operate(t, c)
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	freeze(t, ns, ns, nil)
	wantRefused(t, setImage(t.Context(), c.Admin, d, "app:2"), "change freeze "+ns)
	uninstall := exec.Command("make", "uninstall")
	uninstall.Dir = cluster.Root()
	uninstall.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig)
	if out, err := uninstall.CombinedOutput(); err != nil {
		t.Fatalf("make uninstall: %v\n%s", err, out)
	}
	wantPassed(t, setImage(t.Context(), c.Admin, d, "app:2"))
	wantPassed(t, client.NewDryRunClient(c.Admin).Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}))
	time.Sleep(2 * time.Second) // for the operator to write what it can
	if out, err := c.Kubectl("get", "namespaces", "-l", v1alpha1.GatedLabel, "-o", "name"); err != nil || strings.Contains(out, ns) {
		t.Errorf("labelled: %v\n%s", err, out)
	}
	if out, err := c.Kubectl("get", "crds,clusterroles,clusterrolebindings,namespaces", "-o", "name"); err != nil || strings.Contains(out, "fonster") && !strings.Contains(out, "fonster-gone") {
		t.Errorf("left: %v\n%s", err, out)
	}
	for _, kind := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		if out, err := c.Kubectl("get", kind, "-o", "name"); err == nil && strings.Contains(out, "fonster") {
			t.Errorf("left of %s:\n%s", kind, out)
		}
	}
}
