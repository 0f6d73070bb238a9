package status

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/workload"
)

// View is what all windows and freezes share: which namespaces there are, who refuses what others would hold, and what waits. It is read
// once after a change, however many ask. The zero View is ready.
type View struct {
	// namespaces and workloads count the events of either.
	namespaces, workloads atomic.Uint64

	mu       sync.Mutex
	compiled *compile.Compiled
	asOf     counts
	all      *roster
	overrule overrules
	waiting  waitlist
}

// counts are those of View, as they were when something was read.
type counts struct{ namespaces, workloads uint64 }

// waitlist names what waits, in the order of release, by the window that governs it and by the freeze that keeps it back. It holds
// from one instant until another, zero for ever: freezes begin and end.
type waitlist struct {
	windows, freezes map[string][]string
	from, until      time.Time
}

// glance is what the status of one window or freeze needs of a View.
type glance struct {
	compiled   *compile.Compiled
	namespaces governed
	// governs says whether it governs a namespace.
	governs func(namespace string) bool
	// overruled says, of a window with enforcement Hold, who refuses what it would hold; empty: nobody does.
	overruled string
	waiting   []string
}

// refresh reads what has changed. The caller holds the lock.
func (v *View) refresh(ctx context.Context, reader client.Reader, source *compile.Source, now time.Time) error {
	asOf := counts{v.namespaces.Load(), v.workloads.Load()}
	compiled, err := source.Compiled(ctx)
	if err != nil {
		return err
	}
	if v.all == nil || v.asOf.namespaces != asOf.namespaces || compiled != v.compiled && !v.all.covers(compiled.Set.Keys()) {
		if v.all, err = call(ctx, reader, compiled); err != nil {
			return err
		}
		v.overrule = newOverrules()
	}
	if compiled != v.compiled {
		v.overrule = newOverrules()
	}
	if compiled != v.compiled || v.asOf != asOf || !v.waiting.holds(now) {
		all, err := workload.List(ctx, reader, compiled, now)
		if err != nil {
			return err
		}
		v.waiting = newWaitlist(all, compiled.Set, now)
	}
	v.compiled, v.asOf = compiled, asOf
	return nil
}

// window looks at what concerns a window; false where there is none of this name.
func (v *View) window(ctx context.Context, c *Common, name string, now time.Time) (glance, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(ctx, c.Client, c.Source, now); err != nil {
		return glance{}, false, err
	}
	w, found := v.compiled.Windows[name]
	g := v.glance(w.Target, w.Problems)
	g.waiting = v.waiting.windows[name]
	if found && w.Enforcement == gate.Hold && w.Problems.HasTarget() {
		g.overruled = v.overrule.of(v.compiled.Set, v.all, w.Target)
	}
	return g, found && !w.Pending, nil
}

// freeze is window for a freeze.
func (v *View) freeze(ctx context.Context, c *Common, name string, now time.Time) (glance, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.refresh(ctx, c.Client, c.Source, now); err != nil {
		return glance{}, false, err
	}
	f, found := v.compiled.Freezes[name]
	g := v.glance(f.Target, f.Problems)
	g.waiting = v.waiting.freezes[name]
	return g, found && !f.Pending, nil
}

// glance is what concerns a target; it governs nothing when its selectors could not be read.
func (v *View) glance(target gate.Target, problems compile.Problems) glance {
	if !problems.HasTarget() {
		return glance{compiled: v.compiled, governs: func(string) bool { return false }}
	}
	return glance{compiled: v.compiled, namespaces: v.all.of(target.Namespaces), governs: v.all.governs(target.Namespaces)}
}

// call reads the labels of all namespaces.
func call(ctx context.Context, reader client.Reader, compiled *compile.Compiled) (*roster, error) {
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := reader.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	all := newRoster(compiled.Set.Keys(), compiled.Operator)
	for i := range namespaces.Items {
		all.add(namespaces.Items[i].Name, namespaces.Items[i].Labels)
	}
	return all, nil
}

func newWaitlist(all []workload.Workload, set *gate.Set, now time.Time) waitlist {
	w := waitlist{windows: map[string][]string{}, freezes: map[string][]string{}, from: now}
	if len(all) > 0 {
		w.until = set.FreezesUntil(now)
	}
	for _, o := range workload.Waiting(all, nil) {
		for _, name := range slices.Compact(slices.Clone(o.Windows)) {
			w.windows[name] = append(w.windows[name], o.Key)
		}
		if o.Verdict.Freeze != "" {
			w.freezes[o.Verdict.Freeze] = append(w.freezes[o.Verdict.Freeze], o.Key)
		}
	}
	return w
}

func (w waitlist) holds(now time.Time) bool {
	return w.windows != nil && !now.Before(w.from) && (w.until.IsZero() || now.Before(w.until))
}
