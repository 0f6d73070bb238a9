package compile

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/policy"
)

// Compiled is all windows and freezes of a cluster, compiled.
type Compiled struct {
	// Set answers what may pass.
	Set *gate.Set
	// Trial answers what might not, if what audits refused; nil where nothing audits.
	Trial *gate.Set
	// Windows and Freezes are by name; those without a target are not in Set.
	Windows map[string]CompiledWindow
	Freezes map[string]CompiledFreeze
	// Pending says that some are still being worked out: until then they are as they were before, or shut where they are new.
	Pending bool
	// Operator says where nothing is governed.
	Operator policy.Identity
}

// Names lists the objects of a kind, MaintenanceWindow or ChangeFreeze, in order.
func (c *Compiled) Names(kind string) []string {
	if kind == "MaintenanceWindow" {
		return slices.Sorted(maps.Keys(c.Windows))
	}
	return slices.Sorted(maps.Keys(c.Freezes))
}

// CompiledWindow is a window with what is wrong with it.
type CompiledWindow struct {
	gate.Window
	UID      types.UID
	Problems Problems
	// Pending says that this version is still being worked out.
	Pending bool
	version version
}

// CompiledFreeze is a freeze with what is wrong with it.
type CompiledFreeze struct {
	gate.Freeze
	UID      types.UID
	Problems Problems
	// Pending says that this version is still being worked out.
	Pending bool
	version version
}

// Cache compiles each version of an object once, and a whole set only when an object changed. The zero Cache is ready.
// Safe for concurrent use.
type Cache struct {
	// Operator is that of the cluster.
	Operator policy.Identity

	// aside lets what has many entries be worked out by itself, one object at a time, while all else goes on.
	aside bool

	mu   sync.Mutex
	last *Compiled

	windows tasks[CompiledWindow]
	freezes tasks[CompiledFreeze]
}

// version tells one spec from every other.
type version struct {
	uid        types.UID
	generation int64
	// closed is what has ended early, which is no part of the spec.
	closed string
}

// manyEntries is from how many entries on an object may take so long that nothing waits for it.
const manyEntries = 9

// Compile returns the windows and freezes compiled. It returns the very same pointer as long as they are the same.
func (c *Cache) Compile(windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze) *Compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, wait := c.last, patience
	switch {
	case last == nil:
		last, wait = &Compiled{}, patienceAtStart
	case last.Pending: // it has been waited for
		wait = 0
	case last.same(windows, freezes):
		return last
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	wanted := map[version]bool{}
	next := &Compiled{Operator: c.Operator, Windows: make(map[string]CompiledWindow, len(windows)), Freezes: make(map[string]CompiledFreeze, len(freezes))}
	for i := range windows {
		mw := &windows[i]
		known, have := last.Windows[mw.Name]
		if v := objectVersion(mw); !have || known.Pending || known.version != v {
			wanted[v] = true
			known = c.window(ctx, mw, v, known)
		}
		next.Windows[mw.Name] = known
		next.Pending = next.Pending || known.Pending
	}
	for i := range freezes {
		cf := &freezes[i]
		known, have := last.Freezes[cf.Name]
		if v := objectVersion(cf); !have || known.Pending || known.version != v {
			wanted[v] = true
			known = c.freeze(ctx, cf, v, known)
		}
		next.Freezes[cf.Name] = known
		next.Pending = next.Pending || known.Pending
	}
	for _, keep := range []func(func(version) bool){c.windows.keep, c.freezes.keep} {
		keep(func(v version) bool { return wanted[v] })
	}
	next.Set, next.Trial = sets(next)
	c.last = next
	return next
}

// sets groups what has a target.
func sets(c *Compiled) (set, trial *gate.Set) {
	windows, freezes := make([]gate.Window, 0, len(c.Windows)), make([]gate.Freeze, 0, len(c.Freezes))
	for _, w := range c.Windows {
		if w.Problems.HasTarget() {
			windows = append(windows, w.Window)
		}
	}
	for _, f := range c.Freezes {
		if f.Problems.HasTarget() {
			freezes = append(freezes, f.Freeze)
		}
	}
	return gate.NewSet(windows, freezes), gate.Auditing(windows, freezes)
}

// Auditing is what a namespace's second Gate is made of; nil where nothing audits.
func (c *Compiled) Auditing(namespace map[string]string) *gate.Governing {
	if c.Trial == nil {
		return nil
	}
	g := c.Trial.Of(namespace)
	if g == nil {
		return nil
	}
	if windows, freezes := g.Refusing(); len(windows)+len(freezes) == 0 {
		return nil
	}
	return g
}

// same says whether these are the objects that were compiled.
func (c *Compiled) same(windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze) bool {
	if len(c.Windows) != len(windows) || len(c.Freezes) != len(freezes) {
		return false
	}
	for i := range windows {
		if w, have := c.Windows[windows[i].Name]; !have || w.version != objectVersion(&windows[i]) {
			return false
		}
	}
	for i := range freezes {
		if f, have := c.Freezes[freezes[i].Name]; !have || f.version != objectVersion(&freezes[i]) {
			return false
		}
	}
	return true
}

// window compiles a window, or, while it is being worked out aside, returns what stands meanwhile: what was before, or a window that
// governs and never opens.
func (c *Cache) window(ctx context.Context, mw *v1alpha1.MaintenanceWindow, v version, before CompiledWindow) CompiledWindow {
	do := func() CompiledWindow {
		window, problems := Window(mw)
		return CompiledWindow{Window: window, UID: mw.UID, Problems: problems, version: v}
	}
	if !c.aside || len(mw.Spec.Schedules)+len(mw.Spec.Exclusions) < manyEntries {
		return do()
	}
	if done, finished := c.windows.result(ctx, v, do); finished {
		return done
	}
	if before.UID != mw.UID {
		before.Window, before.Problems = Shut(mw)
		before.UID = mw.UID
	}
	before.Pending = true
	return before
}

// freeze is window for a freeze: a new one is in force until it has been worked out.
func (c *Cache) freeze(ctx context.Context, cf *v1alpha1.ChangeFreeze, v version, before CompiledFreeze) CompiledFreeze {
	do := func() CompiledFreeze {
		freeze, problems := Freeze(cf)
		return CompiledFreeze{Freeze: freeze, UID: cf.UID, Problems: problems, version: v}
	}
	if !c.aside || len(cf.Spec.Schedules) < manyEntries {
		return do()
	}
	if done, finished := c.freezes.result(ctx, v, do); finished {
		return done
	}
	if before.UID != cf.UID {
		before.Freeze, before.Problems = Always(cf)
		before.UID = cf.UID
	}
	before.Pending = true
	return before
}

const (
	// patience is how long what is worked out aside is waited for: nearly all takes less than a millisecond, and then nothing is pending.
	patience = 100 * time.Millisecond
	// patienceAtStart is longer: nothing is in time then, and what is open must not be shut for a moment.
	patienceAtStart = 10 * time.Second
)

// tasks are what is worked out aside, by version, one at a time.
type tasks[T any] struct {
	mu      sync.Mutex
	running sync.Mutex
	started map[version]*task[T]
}

type task[T any] struct {
	done   chan struct{}
	result T
}

// result returns what a version comes to, where that is known before the context ends. It begins to work it out where nobody has yet;
// once it has been fetched, it is forgotten here.
func (t *tasks[T]) result(ctx context.Context, v version, do func() T) (result T, finished bool) {
	t.mu.Lock()
	current, found := t.started[v]
	if !found {
		if t.started == nil {
			t.started = map[version]*task[T]{}
		}
		current = &task[T]{done: make(chan struct{})}
		t.started[v] = current
		go t.run(v, current, do)
	}
	t.mu.Unlock()
	select {
	case <-current.done:
	case <-ctx.Done():
		select {
		case <-current.done:
		default:
			return result, false
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.started, v)
	return current.result, true
}

func (t *tasks[T]) run(v version, current *task[T], do func() T) {
	t.running.Lock()
	defer t.running.Unlock()
	t.mu.Lock()
	wanted := t.started[v] == current
	t.mu.Unlock()
	if wanted {
		current.result = do()
		close(current.done)
	}
}

// keep forgets what is not wanted any more.
func (t *tasks[T]) keep(wanted func(version) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.started, func(v version, _ *task[T]) bool { return !wanted(v) })
}
