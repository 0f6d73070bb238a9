package compile

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/gate"
)

// Compiled is all windows and freezes of a cluster, compiled.
type Compiled struct {
	// Set answers what may pass.
	Set *gate.Set
	// Windows and Freezes are by name; those without a target are not in Set.
	Windows map[string]CompiledWindow
	Freezes map[string]CompiledFreeze
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
}

// CompiledFreeze is a freeze with what is wrong with it.
type CompiledFreeze struct {
	gate.Freeze
	UID      types.UID
	Problems Problems
}

// Cache compiles each generation of an object once, and a whole set only when an object changed. The zero Cache is ready.
// Safe for concurrent use.
type Cache struct {
	mu       sync.Mutex
	versions []version
	last     *Compiled
}

// version tells one spec from every other.
type version struct {
	uid        types.UID
	generation int64
	// closed is what has ended early, which is no part of the spec.
	closed string
}

func versionOf(mw *v1alpha1.MaintenanceWindow) version {
	return version{uid: mw.UID, generation: mw.Generation, closed: ClosedVersion(mw)}
}

// Compile returns the windows and freezes compiled. It returns the very same pointer as long as they are the same.
func (c *Cache) Compile(windows []v1alpha1.MaintenanceWindow, freezes []v1alpha1.ChangeFreeze) *Compiled {
	c.mu.Lock()
	defer c.mu.Unlock()
	versions := make([]version, 0, len(windows)+len(freezes))
	for i := range windows {
		versions = append(versions, versionOf(&windows[i]))
	}
	for i := range freezes {
		versions = append(versions, version{uid: freezes[i].UID, generation: freezes[i].Generation})
	}
	slices.SortFunc(versions, func(a, b version) int {
		if a.uid < b.uid {
			return -1
		}
		return 1
	})
	if c.last != nil && slices.Equal(versions, c.versions) {
		return c.last
	}
	known := make(map[version]bool, len(c.versions))
	for _, v := range c.versions {
		known[v] = true
	}
	next := &Compiled{Windows: map[string]CompiledWindow{}, Freezes: map[string]CompiledFreeze{}}
	var governingWindows []gate.Window
	for i := range windows {
		mw := &windows[i]
		compiled, have := c.lastWindow(mw.Name)
		if !have || compiled.UID != mw.UID || !known[versionOf(mw)] {
			window, problems := Window(mw)
			compiled = CompiledWindow{Window: window, UID: mw.UID, Problems: problems}
		}
		next.Windows[mw.Name] = compiled
		if compiled.Problems.HasTarget() {
			governingWindows = append(governingWindows, compiled.Window)
		}
	}
	var governingFreezes []gate.Freeze
	for i := range freezes {
		cf := &freezes[i]
		compiled, have := c.lastFreeze(cf.Name)
		if !have || compiled.UID != cf.UID || !known[version{uid: cf.UID, generation: cf.Generation}] {
			freeze, problems := Freeze(cf)
			compiled = CompiledFreeze{Freeze: freeze, UID: cf.UID, Problems: problems}
		}
		next.Freezes[cf.Name] = compiled
		if compiled.Problems.HasTarget() {
			governingFreezes = append(governingFreezes, compiled.Freeze)
		}
	}
	next.Set = gate.NewSet(governingWindows, governingFreezes)
	c.versions, c.last = versions, next
	return next
}

func (c *Cache) lastWindow(name string) (CompiledWindow, bool) {
	if c.last == nil {
		return CompiledWindow{}, false
	}
	w, found := c.last.Windows[name]
	return w, found
}

func (c *Cache) lastFreeze(name string) (CompiledFreeze, bool) {
	if c.last == nil {
		return CompiledFreeze{}, false
	}
	f, found := c.last.Freezes[name]
	return f, found
}
