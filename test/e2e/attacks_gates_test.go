package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// gateWays are those of everyWay that a custom resource has.
var gateWays = slices.DeleteFunc(slices.Clone(everyWay), func(way string) bool { return way == "strategic merge patch" })

// TestAttackOnGates: a namespace admin, also one who has every right in the namespace, writes neither of its two Gates, nor a third beside
// them, nor one where there is none; and what they shut stays shut.
func TestAttackOnGates(t *testing.T) {
	ns := testName(t)
	free := ns + "-free"
	namespace(t, ns)
	namespace(t, free)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), everyDisruption)
	window(t, ns+"-audit", ns, nextYear(), everyDisruption, audits)
	gates := gatesIn(t, ns)
	if names := slices.Sorted(maps.Keys(gates)); !slices.Equal(names, []string{v1alpha1.AuditGateName, v1alpha1.GateName}) {
		t.Fatalf("Gates before the attack: %v", names)
	}

	admin := newTenant(t, ns, ns, free)
	owner := allPowerful(t, ns+"-owner", ns, free)
	for name, g := range gates {
		t.Run("the Gate "+name, func(t *testing.T) { attackGate(t, admin, owner, g) })
		get(t, g) // what is refused has changed nothing
	}
	t.Run("other Gates", func(t *testing.T) { plantGates(t, admin, owner, ns, free, gates[v1alpha1.AuditGateName]) })

	after := gatesIn(t, ns)
	if len(after) != len(gates) || len(gatesIn(t, free)) > 0 {
		t.Errorf("Gates after the attack: %v, and %v in %s", slices.Sorted(maps.Keys(after)), gatesIn(t, free), free)
	}
	for name, g := range gates {
		if left := after[name]; left == nil || left.UID != g.UID || !maps.Equal(left.Labels, g.Labels) {
			t.Errorf("the Gate %s is another: %v, it was %v", name, left, g)
		}
	}
	err := setImage(t.Context(), owner, d, "app:attack")
	wantRefused(t, err, closedSays(ns)[:4]...)
}

// attackGate edits, relabels, hands over and deletes a Gate, in every way.
func attackGate(t *testing.T, admin, owner client.Client, g *v1alpha1.Gate) {
	for title, change := range map[string]func(*v1alpha1.Gate){
		"opened":        func(g *v1alpha1.Gate) { g.Spec.Targets[0].Open = true },
		"emptied":       func(g *v1alpha1.Gate) { g.Spec.Targets = nil },
		"exempting":     func(g *v1alpha1.Gate) { g.Spec.Exempt = &v1alpha1.GateExempt{Groups: []string{"system:authenticated"}} },
		"without marks": func(g *v1alpha1.Gate) { g.Labels = nil },
		"as the first": func(g *v1alpha1.Gate) {
			g.Labels = map[string]string{v1alpha1.RefusesLabel: "true", v1alpha1.HoldsLabel: "true", v1alpha1.WarnsLabel: "true"}
		},
		"as the second": func(g *v1alpha1.Gate) { g.Labels = map[string]string{v1alpha1.AuditsLabel: "true"} },
		"of others":     func(g *v1alpha1.Gate) { g.OwnerReferences = nil },
		"annotated":     func(g *v1alpha1.Gate) { metav1.SetMetaDataAnnotation(&g.ObjectMeta, "example.dev/x", "y") },
	} {
		for _, way := range gateWays {
			current := g.DeepCopy()
			get(t, current)
			changed := current.DeepCopy()
			change(changed)
			guarded(t, g.Name+" "+title+" by "+way, write(t, owner, way, current, changed.DeepCopy()))
			withoutRight(t, g.Name+" "+title+" by "+way, write(t, admin, way, current, changed))
		}
	}
	for _, background := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan, metav1.DeletePropagationForeground} {
		guarded(t, g.Name+" deleted", owner.Delete(t.Context(), g.DeepCopy(), client.PropagationPolicy(background)))
	}
	withoutRight(t, g.Name+" deleted", admin.Delete(t.Context(), g.DeepCopy()))
	guarded(t, "all deleted", owner.DeleteAllOf(t.Context(), &v1alpha1.Gate{}, client.InNamespace(g.Namespace)))
	guarded(t, "all by label", owner.DeleteAllOf(t.Context(), &v1alpha1.Gate{}, client.InNamespace(g.Namespace), client.MatchingLabels(g.Labels)))
}

// plantGates creates Gates of other names and marks beside those that are there, and of their names where none is.
func plantGates(t *testing.T, admin, owner client.Client, ns, free string, like *v1alpha1.Gate) {
	for _, where := range []string{ns, free} {
		for _, name := range []string{v1alpha1.GateName, v1alpha1.AuditGateName, "another"} {
			if where == ns && name != "another" {
				continue // it is there
			}
			for _, label := range []string{"", v1alpha1.RefusesLabel, v1alpha1.HoldsLabel, v1alpha1.WarnsLabel, v1alpha1.AuditsLabel, v1alpha1.NarrowsLabel} {
				planted := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: where, Name: name}, Spec: *like.Spec.DeepCopy()}
				if label != "" {
					planted.Labels = map[string]string{label: "true"}
				}
				what := fmt.Sprintf("%s/%s with %q", where, name, label)
				refused := guarded
				if name == "another" {
					refused = misnamed
				}
				refused(t, what, owner.Create(t.Context(), planted.DeepCopy()))
				refused(t, what+" applied", write(t, owner, "server-side apply", planted, planted.DeepCopy()))
				withoutRight(t, what, admin.Create(t.Context(), planted))
			}
		}
	}
}

// guarded wants the refusal of the policy that keeps Gates.
func guarded(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, apierrors.IsForbidden, "the operator writes the Gate")
}

// misnamed wants the refusal of the kind, which knows no such Gate: the API server asks it before the policy.
func misnamed(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, apierrors.IsInvalid, "a namespace has one Gate")
}

// withoutRight wants that somebody has no right to it at all.
func withoutRight(t *testing.T, what string, err error) {
	t.Helper()
	wantKind(t, what, err, apierrors.IsForbidden, "gates.maintenance.fonster.dev", "cannot")
}

// wantKind wants an error of a kind that says all of the texts.
func wantKind(t *testing.T, what string, err error, is func(error) bool, texts ...string) {
	t.Helper()
	if !is(err) {
		t.Errorf("%s: want a refusal of another kind, got: %v", what, err)
		return
	}
	wantSaid(t, err.Error(), texts...)
}

// gatesIn are the Gates of a namespace by their names.
func gatesIn(t *testing.T, ns string) map[string]*v1alpha1.Gate {
	t.Helper()
	var list v1alpha1.GateList
	wantPassed(t, shared.Admin.List(t.Context(), &list, client.InNamespace(ns)))
	found := map[string]*v1alpha1.Gate{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found
}

// allPowerful is somebody who may do everything there is in some namespaces, and nothing elsewhere.
func allPowerful(t *testing.T, name string, namespaces ...string) client.Client {
	t.Helper()
	_, config, err := shared.NamespaceAccount(t.Context(), name, "cluster-admin", namespaces...)
	wantPassed(t, err)
	c, err := shared.Client(config)
	wantPassed(t, err)
	eventually(t, 20*time.Second, func() error { // the bindings are seen
		for _, namespace := range namespaces {
			if err := c.List(t.Context(), &v1alpha1.GateList{}, client.InNamespace(namespace)); err != nil {
				return err
			}
		}
		return nil
	})
	return c
}
