package policy

import (
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/decision"
	"fonster.dev/fonster/test/policy/model"
)

// TestDecisionAgainstModel holds what the command line answers beforehand against the model, and so against the policies, which TestModel
// holds against it: in the same random cases, but for those that set an override, or change labels by which windows select.
func TestDecisionAgainstModel(t *testing.T) {
	words := map[string]int{}
	for i := range 60_000 {
		s := newScenario(randomBytes(uint64(i)), "1.37")
		w := s.world
		if w.Sets || len(w.Attempt.Does) == 0 || len(w.Attempt.ChangedKeys) > 0 {
			continue
		}
		if !w.Attempt.Deletes && w.Attempt.Before != nil && w.Attempt.After != nil && !maps.Equal(w.Attempt.Before, w.Attempt.After) {
			continue
		}
		want := model.Decide(w).Word
		if got := decided(w); got != want {
			t.Errorf("case %d, %s: %s beforehand, %s by the model", i, s.title, got, want)
		}
		words[want]++
	}
	for _, word := range []string{"allow", "warn", "hold", "deny"} {
		if words[word] < 100 {
			t.Errorf("only %d cases of %s", words[word], word)
		}
	}
	t.Logf("%v", words)
}

// decided is the strictest answer to what a request does, as the model has it.
func decided(w model.World) string {
	var gate *v1alpha1.Gate
	if w.Gate != nil {
		gate = &v1alpha1.Gate{Spec: *w.Gate}
		if w.CanHold {
			gate.Labels = map[string]string{v1alpha1.HoldsLabel: "true"}
		}
	}
	r := decision.Request{Holdable: w.Attempt.Holdable, Exempt: w.Person.ControlPlane || w.Person.Exempt, Passes: w.Person.Freezes,
		Unwarned: w.Attempt.Kind == model.Namespace}
	if w.Attempt.Kind == model.Workload {
		of := w.Attempt.Before
		if of == nil {
			of = w.Attempt.After
		}
		r.Selects = func(s *metav1.LabelSelector) bool {
			selector, err := metav1.LabelSelectorAsSelector(s)
			return err == nil && selector.Matches(labels.Set(of))
		}
	}
	for _, o := range []*model.Override{w.OnObject, w.OnNamespace} {
		if o != nil && o.Marked && !o.Spent && o.Until.After(r.OverriddenUntil) {
			r.OverriddenUntil = o.Until
		}
	}
	var now time.Time // of which the policies know by the times in the object alone
	if len(w.Attempt.Times) > 0 {
		now = slices.MaxFunc(w.Attempt.Times, time.Time.Compare)
	}
	word := decision.Allowed
	for _, d := range w.Attempt.Does {
		r.Disruption = d
		if is := decision.Decide(gate, r, now).Word; is.Stricter(word) {
			word = is
		}
	}
	return map[decision.Word]string{decision.Allowed: "allow", decision.Warned: "warn", decision.Held: "hold", decision.Refused: "deny"}[word]
}
