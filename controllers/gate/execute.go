package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/parallel"
	"fonster.dev/fonster/internal/write"
)

// outcome gathers what became of a plan; writers share it.
type outcome struct {
	mu sync.Mutex
	// problems say, by namespace, what could not be written.
	problems map[string]string
	// behind says that somebody else has written since the cache last heard: an event will tell.
	behind bool
	// created, closed, opened and removed count Gates, rewritten those of which only texts have changed.
	created, closed, opened, rewritten, removed int
}

// execute writes a plan: first what closes, then what opens, then it removes what nothing asks for any more. What fails does not keep back
// the rest, and is reported.
func (r *Reconciler) execute(ctx context.Context, p plan, passed, now time.Time) *outcome {
	done := &outcome{}
	each := func(steps []step, do func(step) error) {
		_ = parallel.Each(writers, steps, func(s step) error {
			done.note(s.namespace, do(s))
			return nil
		})
	}
	turn := func(count *int) func(step) error {
		return func(s step) error { return r.write(ctx, s, count, done, passed, now) }
	}
	each(p.closing, turn(&done.closed))
	each(p.opening, turn(&done.opened))
	each(p.removing, func(s step) error { return r.remove(ctx, s, done) })
	if done.created+done.closed+done.opened+done.removed > 0 {
		log.FromContext(ctx).Info("gates have changed", "created", done.created, "closed", done.closed, "opened", done.opened,
			"rewritten", done.rewritten, "removed", done.removed, "failed", len(done.problems))
	}
	return done
}

// note tells what became of a namespace's step.
func (o *outcome) note(namespace string, err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		o.behind = true
		return
	}
	if o.problems == nil {
		o.problems = map[string]string{}
	}
	o.problems[namespace] = enforced.Problem(err)
}

func (o *outcome) count(n *int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*n++
}

// write writes the Gate of a namespace, and then the label by which policies look at it: they refuse nothing for want of a Gate, but what
// is labelled should be governed. What is gone meanwhile, or about to go, is no error.
func (r *Reconciler) write(ctx context.Context, s step, turned *int, done *outcome, passed, now time.Time) error {
	if s.gate != nil {
		if err := r.writeGate(ctx, s); err != nil {
			return gone(err)
		}
		summary := s.gate.Spec.Summary
		logger := log.FromContext(ctx).V(1).WithValues("namespace", s.namespace, "state", summary.State, "when", summary.When, "by", summary.By)
		switch {
		case s.before == nil:
			done.count(&done.created)
			logger.Info("a gate is created")
		case s.turns:
			done.count(turned)
			logger.Info("a gate has turned", "was", s.before.Spec.Summary.State)
			if edge := edge(s.before, passed, now); !edge.IsZero() {
				r.ObserveTransition(r.Now().Sub(edge))
			}
		default:
			done.count(&done.rewritten)
			logger.Info("a gate is rewritten")
		}
	}
	if s.label {
		return gone(r.label(ctx, s.namespace, "true"))
	}
	return nil
}

// writeGate creates a Gate, or replaces it as a whole, if it is still the one that the cache has: of several writers one makes each
// transition.
func (r *Reconciler) writeGate(ctx context.Context, s step) error {
	if s.before == nil {
		if err := r.Client.Create(ctx, s.gate, client.FieldOwner(write.FieldManager)); err != nil {
			return fmt.Errorf("creating the gate: %w", err)
		}
		return nil
	}
	s.gate.UID, s.gate.ResourceVersion, s.gate.ManagedFields = s.before.UID, s.before.ResourceVersion, untracked
	if err := r.Client.Update(ctx, s.gate, client.FieldOwner(write.FieldManager)); err != nil {
		return fmt.Errorf("updating the gate: %w", err)
	}
	return nil
}

// remove takes away first the label of a namespace, then its Gate; that it is gone, or is another one by now, is no error.
func (r *Reconciler) remove(ctx context.Context, s step, done *outcome) error {
	if s.label {
		if err := r.label(ctx, s.namespace, nil); err != nil {
			return gone(err)
		}
	}
	if s.before == nil || s.before.DeletionTimestamp != nil {
		return nil
	}
	stale := &v1alpha1.Gate{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: s.before.Name}}
	switch err := r.Client.Delete(ctx, stale, client.Preconditions{UID: new(s.before.UID)}); {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case err != nil:
		return fmt.Errorf("removing the gate: %w", err)
	}
	done.count(&done.removed)
	log.FromContext(ctx).V(1).Info("a gate is removed", "namespace", s.namespace)
	return nil
}

// label sets the label of a namespace that says that it has a Gate; nil takes it away.
func (r *Reconciler) label(ctx context.Context, namespace string, value any) error {
	content, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]any{v1alpha1.GatedLabel: value}}})
	if err != nil {
		return err
	}
	target := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	target.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if err := r.Client.Patch(ctx, target, client.RawPatch(types.MergePatchType, content), client.FieldOwner(write.FieldManager)); err != nil {
		return fmt.Errorf("labelling the namespace: %w", err)
	}
	return nil
}

// gone is nil for what says that the namespace or Gate is gone, or that the namespace is about to go: an event tells of it.
func gone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}
