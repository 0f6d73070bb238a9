package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/policy"
)

// thief is a client with a token of the operator's own service account.
func thief(t *testing.T) client.Client {
	t.Helper()
	token, err := shared.ServiceAccountToken(t.Context(), policy.DefaultNamespace, policy.DefaultServiceAccount)
	wantPassed(t, err)
	config := rest.AnonymousClientConfig(shared.Config)
	config.BearerToken = token
	c, err := shared.Client(config)
	wantPassed(t, err)
	return c
}

// TestOperatorIdentity: whoever has the operator's token writes no more of workloads and Namespaces than the operator itself does. That
// the operator may do all that it does, the tests of holding and overriding show.
func TestOperatorIdentity(t *testing.T) {
	ns := testName(t)
	namespace(t, ns, "pod-security.kubernetes.io/enforce", "baseline")
	d := deployment(t, ns, "web", 1)
	noted := deployment(t, ns, "noted", 1, func(d *appsv1.Deployment) {
		d.Annotations = map[string]string{override.Reason: "planted", override.Until: "2099-01-01T00:00:00Z", override.By: "eve"}
	})
	db, agent := newStatefulSet(1)(ns), newDaemonSet()(ns)
	name(db, "db")
	name(agent, "agent")
	for _, o := range []client.Object{db, agent} {
		create(t, o)
		eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), o) })
	}
	victim := deployment(t, "kube-system", ns, 1)
	window(t, ns, ns, nextYear(), hold)
	// What is held, as far as the mutating policies hold it.
	held := deployment(t, ns, "held", 1)
	wantPassed(t, setImage(t.Context(), shared.Admin, held, "app:2"))
	get(t, held)
	if held.Labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting {
		t.Fatalf("not held: %v", held.Labels)
	}
	c := client.NewDryRunClient(thief(t))
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}}
	const privileged = `{"spec":{"template":{"spec":{"hostPID":true,"serviceAccountName":"namespace-controller","containers":[{"name":"main","securityContext":{"privileged":true}}]}}}}`
	const labels, annotations, spec = "never other labels", "never other annotations", "never the spec"
	for title, tc := range map[string]struct {
		object client.Object
		patch  string
		says   string
	}{
		"a privileged pod in kube-system":    {victim, privileged, "namespace where nothing is governed"},
		"a mark in kube-system":              {victim, `{"metadata":{"annotations":{"note":"x"}}}`, "namespace where nothing is governed"},
		"the Namespace kube-system":          {system, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, "namespace where nothing is governed"},
		"a privileged pod":                   {d, privileged, spec},
		"another image":                      {d, `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"evil"}]}}}}`, spec},
		"another image of what is held":      {held, `{"metadata":{"labels":{"maintenance.fonster.dev/held":"releasing"}},"spec":{"template":{"spec":{"containers":[{"name":"main","image":"evil"}]}}}}`, spec},
		"fewer replicas":                     {d, `{"spec":{"replicas":0}}`, spec},
		"fewer replicas of what is held":     {held, `{"metadata":{"labels":{"maintenance.fonster.dev/held":"releasing"}},"spec":{"replicas":0}}`, spec},
		"pausing what is not held":           {d, `{"spec":{"paused":true}}`, spec},
		"another strategy":                   {d, `{"spec":{"strategy":{"rollingUpdate":{"maxUnavailable":"100%"}}}}`, spec},
		"a StatefulSet's template":           {db, `{"spec":{"template":{"metadata":{"annotations":{"note":"x"}}}}}`, spec},
		"a StatefulSet's partition":          {db, `{"spec":{"updateStrategy":{"rollingUpdate":{"partition":1}}}}`, spec},
		"a DaemonSet's type":                 {agent, `{"spec":{"updateStrategy":{"type":"OnDelete"}}}`, spec},
		"a label":                            {d, `{"metadata":{"labels":{"app":"other"}}}`, labels},
		"a mark of what is not held":         {d, `{"metadata":{"labels":{"maintenance.fonster.dev/held":"let-go"}}}`, labels},
		"the mark of an override over notes": {noted, `{"metadata":{"labels":{"maintenance.fonster.dev/overridden":"true"}}}`, labels},
		"an override":                        {d, `{"metadata":{"annotations":{"maintenance.fonster.dev/override":"mine","maintenance.fonster.dev/override-until":"2099-01-01T00:00:00Z"}}}`, annotations},
		"a later end":                        {noted, `{"metadata":{"annotations":{"maintenance.fonster.dev/override-until":"2199-01-01T00:00:00Z"}}}`, annotations},
		"a rollback":                         {d, `{"metadata":{"annotations":{"deprecated.deployment.rollback.to":"1"}}}`, annotations},
		"an annotation less":                 {d, `{"metadata":{"annotations":{"deployment.kubernetes.io/revision":null}}}`, "never fewer annotations"},
		"an owner that does not exist":       {d, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"gone","uid":"0"}]}}`, "never ownerReferences"},
		"a finalizer":                        {d, `{"metadata":{"finalizers":["example.com/stuck"]}}`, "never ownerReferences or finalizers"},
		"the pod security of a Namespace":    {space, `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":null}}}`, labels},
		"a Namespace out of its window":      {space, `{"metadata":{"labels":{"team":null}}}`, labels},
		"an annotation of a Namespace":       {space, `{"metadata":{"annotations":{"scheduler.alpha.kubernetes.io/node-selector":"x=y"}}}`, annotations},
		"an override of a Namespace":         {space, `{"metadata":{"labels":{"maintenance.fonster.dev/overridden":"true"},"annotations":{"maintenance.fonster.dev/override":"mine"}}}`, labels},

		"releasing what is held passes":      {held, `{"metadata":{"labels":{"maintenance.fonster.dev/held":"releasing","maintenance.fonster.dev/held-partition":null}}}`, ""},
		"giving back what is held passes":    {held, `{"metadata":{"labels":{"maintenance.fonster.dev/held":"let-go"}},"spec":{"paused":null}}`, ""},
		"since when it is held passes":       {held, `{"metadata":{"labels":{"maintenance.fonster.dev/held-since":"2026-01-01T00.00.00Z"}}}`, ""},
		"an earlier end passes":              {noted, `{"metadata":{"annotations":{"maintenance.fonster.dev/override-until":"2098-01-01T00:00:00Z"}}}`, ""},
		"ending an override passes":          {noted, `{"metadata":{"annotations":{"maintenance.fonster.dev/override-until":null,"maintenance.fonster.dev/override-by":null,"maintenance.fonster.dev/override-spent":"planted"}}}`, ""},
		"a reason that was not set is spent": {noted, `{"metadata":{"annotations":{"maintenance.fonster.dev/override-spent":"other"}}}`, annotations},
	} {
		t.Run(title, func(t *testing.T) {
			kind := client.RawPatch("application/strategic-merge-patch+json", []byte(tc.patch))
			err := c.Patch(t.Context(), tc.object.DeepCopyObject().(client.Object), kind)
			if tc.says == "" {
				wantPassed(t, err)
				return
			}
			wantRefused(t, err, "The operator of Fonster writes its own marks and notes", tc.says)
		})
	}
	// Everybody else goes on as before.
	wantPassed(t, client.NewDryRunClient(shared.Admin).Patch(t.Context(), victim.DeepCopy(), mergePatch(`{"spec":{"replicas":0}}`)))
}

// TestNotesInProtectedNamespaces: what looks like an override there is nothing, and the operator leaves it alone.
func TestNotesInProtectedNamespaces(t *testing.T) {
	d := deployment(t, "kube-system", testName(t), 1)
	soon := rfc3339(time.Now().Add(time.Hour))
	patch := mergePatch(`{"metadata":{"labels":{%q:"true"},"annotations":{%q:"INC-1",%q:%q,%q:"anna"}}}`, v1alpha1.OverriddenLabel, override.Reason, override.Until, soon, override.By)
	wantPassed(t, as(t, "anna").Patch(t.Context(), d.DeepCopy(), patch))
	time.Sleep(4 * time.Second)
	if log := operator.Log(); strings.Contains(log, "own marks and notes") {
		t.Errorf("the operator tries to write there:\n%s", log)
	}
}

// TestReleaseByTheOperator: each kind is held, released, given back and freed of its marks by the operator, past its own guard.
func TestReleaseByTheOperator(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	db, agent := newStatefulSet(2, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy = partition(1) })(ns), newDaemonSet()(ns)
	name(db, "db")
	name(agent, "agent")
	for _, o := range []client.Object{db, agent} {
		create(t, o)
		eventually(t, 60*time.Second, func() error { return isSettled(t.Context(), o) })
	}
	opens := time.Now().Add(12 * time.Second).Truncate(time.Second)
	closes := opens.Add(10 * time.Minute)
	if day(time.Now()) != day(closes) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(opens, closes), hold)
	for _, o := range []client.Object{d, db, agent} {
		get(t, o)
		newImage(o)
		wantPassed(t, shared.Admin.Update(t.Context(), o))
		if o.GetLabels()[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting {
			t.Fatalf("%T is not held: %v", o, o.GetLabels())
		}
	}
	eventually(t, time.Until(opens)+60*time.Second, func() error { return freed(t.Context(), d, db, agent) })
	if p := *db.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate.Partition; p != 1 {
		t.Errorf("partition %d, want what the user had set", p)
	}
}

// freed says whether what was held has been released and is done.
func freed(ctx context.Context, objects ...client.Object) error {
	for _, o := range objects {
		if err := isSettled(ctx, o); err != nil {
			return err
		}
		if mark := o.GetLabels()[v1alpha1.HeldLabel]; mark != "" {
			return fmt.Errorf("%T is %s", o, mark)
		}
	}
	return nil
}
