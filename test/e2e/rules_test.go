package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/hack/policygen"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/policy"
)

// attempt is one request to an object that exists and runs.
type attempt struct {
	// rule is the rule that it is about; or, if it is harmless and passes everywhere, the one that it must be told from.
	rule     string
	harmless bool
	// strict: it is refused to the control plane too.
	strict bool
	// since is the minor version of Kubernetes from which on it can be made; 0: all.
	since uint
	// object makes, in a namespace, the object that the request is about, or whose controller keeps that.
	object func(namespace string) client.Object
	// prepare changes it before any window exists, step by step.
	prepare []func(client.Object)
	// act makes the request as a client; the object is as the API has it now.
	act func(ctx context.Context, c client.Client, o client.Object) error
	// says is what a refusal says of the request: the disruption, and why where the name does not tell.
	says []string
}

// mode is a place to try: a namespace, and what becomes of a disruptive request there.
type mode struct {
	name, namespace string
	// dryRun and exempt are how to ask.
	dryRun, exempt bool
	// refusal is what every refusal says; nil: none is refused.
	refusal []string
	// warns says that the refusal comes as a warning; audits that it is only recorded.
	warns, audits bool
}

// modes in the order in which they are tried: a refused request leaves its object as it was, so the first three share one.
var modes = []mode{
	{name: "dry-run", namespace: "rules-closed", dryRun: true, refusal: closedSays("rules-closed")},
	{name: "closed", namespace: "rules-closed", refusal: closedSays("rules-closed")},
	{name: "exempt", namespace: "rules-closed", exempt: true},
	{name: "frozen", namespace: "rules-frozen", refusal: []string{"change freeze rules-frozen is in force", "(Val: röstning pågår)", "It ends when its ChangeFreeze is edited or deleted."}},
	{name: "open", namespace: "rules-open"},
	{name: "overridden", namespace: "rules-overridden"},
	{name: "warn", namespace: "rules-warn", refusal: closedSays("rules-warn")[:4], warns: true},
	{name: "audit", namespace: "rules-audit", audits: true},
	{name: "no window", namespace: "rules-free"},
}

// closedSays is what a refusal says outside a window; a warning says all but the last, as there is nothing to override.
func closedSays(window string) []string {
	return []string{"maintenance windows (" + window + ")", "Next opening: ", "13 May", "09:00 UTC, by " + window, "In an emergency:"}
}

var ruleNamespaces = []string{"rules-closed", "rules-frozen", "rules-open", "rules-overridden", "rules-warn", "rules-audit", "rules-free"}

// exemptClient asks as a controller of Kubernetes.
var exemptClient client.Client

// all makes a window or freeze govern every disruption, of what has the label tier=matrix.
func all(mw *v1alpha1.MaintenanceWindow) {
	mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}
	mw.Spec.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "matrix"}}
}

// TestRules is the matrix of rules: every attempt in every mode.
func TestRules(t *testing.T) {
	for _, ns := range ruleNamespaces {
		namespace(t, ns)
	}
	prepareAll(t)
	window(t, "rules-closed", "rules-closed", nextYear(), all)
	window(t, "rules-frozen", "rules-frozen", always(), all)
	freeze(t, "rules-frozen", "rules-frozen", nil, func(cf *v1alpha1.ChangeFreeze) {
		mw := &v1alpha1.MaintenanceWindow{}
		all(mw)
		cf.Spec.Disruptions, cf.Spec.ObjectSelector = mw.Spec.Disruptions, mw.Spec.ObjectSelector
	})
	window(t, "rules-open", "rules-open", always(), all)
	window(t, "rules-overridden", "rules-overridden", nextYear(), all)
	if canMutate(t) {
		wantPassed(t, annotateWith(t.Context(), shared.Admin, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "rules-overridden"}}, override.Reason, "INC-1"))
	} else if code, out, errs := kubectlWindow(t, "", "override", "namespace", "rules-overridden", "--reason", "INC-1"); code != 0 {
		t.Fatalf("code %d %s%s", code, out, errs)
	}
	window(t, "rules-warn", "rules-warn", nextYear(), all, warn)
	window(t, "rules-audit", "rules-audit", nextYear(), all, audits)

	var err error
	if recorded, err = recordedAs(""); err != nil {
		t.Fatal(err)
	}
	exemptClient = as(t, "system:serviceaccount:kube-system:generic-garbage-collector")
	cases := 0
	for _, title := range slices.Sorted(maps.Keys(attempts)) {
		a := attempts[title]
		if !possible(t, a) {
			t.Run(title, func(t *testing.T) { t.Skipf("Kubernetes 1.%d is the first that takes it", a.since) })
			continue
		}
		for _, m := range modes {
			if a.harmless && (m.dryRun || m.exempt) {
				continue // it passes as itself
			}
			cases++
			t.Run(title+"/"+m.name, func(t *testing.T) {
				c := recorded
				if m.exempt {
					c = exemptClient
				}
				if m.audits {
					var err error
					if c, err = recordedAs(auditedUser(title), "system:masters"); err != nil {
						t.Fatal(err)
					}
				}
				if m.dryRun {
					c = client.NewDryRunClient(c)
				}
				if m.exempt && a.strict {
					m.refusal = closedSays(m.namespace)
				}
				agrees := beforehand(t, title, a, m)
				warnings.take()
				err := try(t.Context(), c, m.namespace, title, a)
				said := strings.Join(warnings.take(), "\n")
				agrees(err, said)
				switch refused := !a.harmless && m.refusal != nil; {
				case refused && m.warns:
					wantPassed(t, err)
					wantSaid(t, said, slices.Concat(a.says, m.refusal)...)
				case refused:
					wantRefused(t, err, slices.Concat(a.says, m.refusal)...)
				default:
					wantPassed(t, err)
					if strings.Contains(said, "fonster") {
						t.Errorf("a warning for what is harmless: %s", said)
					}
				}
			})
		}
	}
	t.Run("audit log", wantRecorded)
	fmt.Printf("matrix of rules: %d attempts, %d cases; %d were asked about beforehand\n", len(attempts), cases, askedBeforehand)
}

// recorded is the client whose warnings are recorded in warnings.
var (
	recorded client.Client
	warnings = &warningRecorder{}
)

// recordedAs returns a client of a user, or of the administrator, whose warnings are recorded.
func recordedAs(user string, groups ...string) (client.Client, error) {
	config := rest.CopyConfig(shared.Config)
	config.WarningHandler = warnings
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return shared.Client(config)
}

type warningRecorder struct {
	mu   sync.Mutex
	list []string
}

func (w *warningRecorder) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

func (w *warningRecorder) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

// as is a client of another user, with every right.
func as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	c, err := shared.As(user, append(groups, "system:masters")...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// possible says whether the API server takes what an attempt is about.
func possible(t *testing.T, a attempt) bool {
	t.Helper()
	return served(t).Minor() >= a.since
}

// objectName gives each attempt an object of its own.
func objectName(attempt string) string {
	var hash uint32 = 2166136261
	for _, b := range []byte(attempt) {
		hash = (hash ^ uint32(b)) * 16777619
	}
	return fmt.Sprintf("w%08x", hash)
}

// prepareAll creates the object of every attempt in every namespace, waits for the pods, and makes the first changes.
func prepareAll(t *testing.T) {
	t.Helper()
	each := func(do func(o client.Object, a attempt) error) {
		for title, a := range attempts {
			if !possible(t, a) {
				continue
			}
			for _, ns := range ruleNamespaces {
				o := a.object(ns)
				name(o, objectName(title))
				eventually(t, 3*time.Minute, func() error { return do(o, a) }) // the first waits for a thousand others
			}
		}
	}
	each(func(o client.Object, _ attempt) error { return shared.Admin.Create(t.Context(), o) })
	each(func(o client.Object, _ attempt) error { return isSettled(t.Context(), o) })
	for step := range 2 {
		each(func(o client.Object, a attempt) error {
			if step >= len(a.prepare) {
				return nil
			}
			if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				return err
			}
			a.prepare[step](o)
			if _, ok := o.(*corev1.Pod); ok { // what the kubelet says
				return shared.Admin.Status().Update(t.Context(), o)
			}
			return shared.Admin.Update(t.Context(), o)
		})
		each(func(o client.Object, _ attempt) error { return isSettled(t.Context(), o) })
	}
	// No windows are in force yet, and the namespaces go as a whole after the test.
}

// isSettled says whether the controller has seen the object and its pods run.
func isSettled(ctx context.Context, o client.Object) error {
	if err := shared.Admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return err
	}
	settled := false
	switch w := o.(type) {
	case *appsv1.Deployment:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas &&
			(w.Spec.Paused || *w.Spec.Replicas == 0 || w.Status.UpdatedReplicas > 0)
	case *appsv1.StatefulSet:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas
	case *appsv1.DaemonSet:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.NumberReady == w.Status.DesiredNumberScheduled
	case *appsv1.ReplicaSet:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas
	case *corev1.ReplicationController:
		settled = w.Status.ObservedGeneration == w.Generation && w.Status.ReadyReplicas == *w.Spec.Replicas
	case *corev1.Pod:
		settled = w.Status.Phase == corev1.PodRunning || w.Status.Phase == corev1.PodSucceeded
	case *autoscalingv2.HorizontalPodAutoscaler:
		settled = true
	}
	if !settled {
		return fmt.Errorf("%T %s/%s has not settled", o, o.GetNamespace(), o.GetName())
	}
	return nil
}

// try makes an attempt as a client; again where a controller wrote meanwhile.
func try(ctx context.Context, c client.Client, namespace, title string, a attempt) error {
	return retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error {
		o := a.object(namespace)
		name(o, objectName(title))
		if err := shared.Admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		return a.act(ctx, c, o)
	})
}

// TestEveryRuleIsTried keeps the table of rules and the attempts together: each rule has one that it is about, and, where it tells
// disruptive from harmless, one beside it.
func TestEveryRuleIsTried(t *testing.T) {
	through, beside := map[string]bool{}, map[string]bool{}
	for _, a := range attempts {
		if a.harmless {
			beside[a.rule] = true
		} else {
			through[a.rule] = true
		}
	}
	known := map[string]bool{}
	for _, s := range policygen.RuleSets {
		for _, r := range s.Rules {
			if known[r.Name] {
				t.Errorf("two rules are named %s", r.Name)
			}
			known[r.Name] = true
			if !through[r.Name] {
				t.Errorf("rule %s has no attempt", r.Name)
			}
			if r.When != "" && !beside[r.Name] {
				t.Errorf("rule %s has no harmless neighbour", r.Name)
			}
		}
	}
	known[relabelled] = true // a protection, that is tried in every mode as the rules are
	if !through[relabelled] || !beside[relabelled] {
		t.Errorf("%s has no attempt, or none beside it", relabelled)
	}
	for title, a := range attempts {
		if !known[a.rule] {
			t.Errorf("%s: there is no rule %s", title, a.rule)
		}
	}
}

// TestDeleteCollection is row 7 for workloads and pods: request.name is empty there.
func TestDeleteCollection(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	err := shared.Admin.DeleteAllOf(t.Context(), &appsv1.Deployment{}, client.InNamespace(ns))
	wantRefused(t, err, "Delete of Deployment "+ns+"/"+d.Name)
	err = shared.Admin.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(ns))
	wantRefused(t, err, "Delete of Pod "+ns+"/"+d.Name+"-")
}

// TestMidRollout is the rest of row 3: more at once in the middle of a rollout that cannot finish.
func TestMidRollout(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	// A rollout that cannot finish: its pods find no node.
	d.Spec.Template.Spec.NodeSelector = map[string]string{"no-such-node": "true"}
	wantPassed(t, shared.Admin.Update(t.Context(), d))
	eventually(t, 10*time.Second, func() error {
		if err := shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration < d.Generation || d.Status.UpdatedReplicas == 0 {
			return fmt.Errorf("the rollout has not begun: %+v", d.Status)
		}
		return nil
	})
	s := newStatefulSet(3)(ns).(*appsv1.StatefulSet)
	name(s, "db")
	set := newDaemonSet()(ns).(*appsv1.DaemonSet)
	name(set, "agent")
	for _, o := range []client.Object{s, set} {
		create(t, o)
		eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), o) })
		eventually(t, 10*time.Second, func() error {
			get(t, o)
			// Its new pods find room on no node.
			podSpec(o).Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
			return shared.Admin.Update(t.Context(), o)
		})
	}
	eventually(t, 30*time.Second, func() error {
		get(t, s)
		get(t, set)
		if s.Status.ObservedGeneration < s.Generation || s.Status.UpdatedReplicas == 0 || s.Status.UpdatedReplicas == s.Status.Replicas {
			return fmt.Errorf("the rollout has not begun: %+v", s.Status)
		}
		if set.Status.ObservedGeneration < set.Generation || set.Status.UpdatedNumberScheduled == 0 || set.Status.UpdatedNumberScheduled == set.Status.DesiredNumberScheduled {
			return fmt.Errorf("the rollout has not begun: %+v", set.Status)
		}
		return nil
	})
	window(t, ns, ns, nextYear())
	refused := func(o client.Object, patch, says string) {
		t.Helper()
		wantRefused(t, shared.Admin.Patch(t.Context(), o.DeepCopyObject().(client.Object), mergePatch("%s", patch)), says)
	}
	if served(t).Minor() >= 37 { // older API servers drop the field
		refused(s, `{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":2}}}}`, "Rollout of StatefulSet")
	}
	refused(set, `{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":2}}}}`, "Rollout of DaemonSet")
	refused(set, `{"spec":{"updateStrategy":{"rollingUpdate":{"maxUnavailable":0,"maxSurge":1}}}}`, "Rollout of DaemonSet")
	surge(d)
	wantRefused(t, shared.Admin.Update(t.Context(), d), "Rollout of Deployment")
	eventually(t, 5*time.Second, func() error { return shared.Admin.Get(t.Context(), client.ObjectKeyFromObject(d), d) })
	d.Spec.Paused = true
	wantPassed(t, shared.Admin.Update(t.Context(), d))
}

// TestIdentities tells who passes a closed gate: the control plane by exact names, and nobody who only looks like it.
func TestIdentities(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	image := 1
	tryAs := func(user string, groups ...string) error {
		image++
		return setImage(t.Context(), as(t, user, groups...), d, fmt.Sprintf("app:%d", image))
	}
	for _, user := range (policy.Identity{}).ExemptUsers() {
		err := tryAs(user)
		switch {
		case user == (policy.Identity{}).User(): // it passes the gate, and is kept to what is its own
			wantRefused(t, err, "its own marks and notes, and never the spec")
		case err != nil:
			t.Errorf("%s should pass: %v", user, err)
		}
	}
	wantPassed(t, tryAs("system:node:n1", "system:nodes"))
	for _, user := range []string{
		"kubernetes-admin", "system:kube-controller-manager2", "system:serviceaccount:kube-system:default",
		"system:serviceaccount:kube-system:deployment-controller-x", "system:serviceaccount:default:deployment-controller",
		"system:serviceaccount:fonster-system:default", "system:serviceaccount:databases:operator",
	} {
		t.Run(user, func(t *testing.T) { wantRefused(t, tryAs(user), "Rollout of Deployment") })
	}
}

// TestExemptByConfiguration: whom the administrator names to the operator passes every gate, and the guard of namespaces,
// by exact name alone; the API server decides, so also while no operator runs.
func TestExemptByConfiguration(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	operator.Kill()
	var err error
	users := "--exempt-users=system:serviceaccount:databases:operator,alice"
	for i := range 30 { // as many as the flag takes, a Gate has room for
		users += fmt.Sprintf(",user-%d", i)
	}
	if operator, err = shared.StartOperator(t.Context(), users, "--exempt-groups=healers"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { restartOperator(t) })
	window(t, ns, ns, nextYear())
	operator.Kill()
	for i, user := range []string{"alice", "system:serviceaccount:databases:operator"} {
		wantPassed(t, setImage(t.Context(), as(t, user), d, fmt.Sprintf("app:%d", 2+i)))
	}
	wantPassed(t, setImage(t.Context(), as(t, "bob", "healers"), d, "app:4"))
	wantRefused(t, setImage(t.Context(), as(t, "bob", "healers2"), d, "app:5"), "Rollout of Deployment")
	wantRefused(t, setImage(t.Context(), as(t, "alice2"), d, "app:5"), "Rollout of Deployment")
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	wantRefused(t, client.NewDryRunClient(as(t, "alice2")).Delete(t.Context(), object), "Delete of Namespace")
	wantPassed(t, client.NewDryRunClient(as(t, "alice")).Delete(t.Context(), object))
}

// TestProtectedNamespaces: they are never governed, whatever a selector says.
func TestProtectedNamespaces(t *testing.T) {
	window(t, testName(t), "", nextYear(), everywhere)
	d := deployment(t, "kube-system", "web", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	d = deployment(t, corev1.NamespaceDefault, "web", 1)
	wantRefused(t, setImage(t.Context(), shared.Admin, d, "app:2"), "Rollout of Deployment default/web")
}
