package compile

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"fonster.dev/fonster/api/v1alpha1"
)

func daily(name string, entries int) *v1alpha1.MaintenanceWindow {
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 1},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
		},
	}
	for i := range entries {
		start, end := fmt.Sprintf("%02d:00", i), fmt.Sprintf("%02d:30", i)
		mw.Spec.Schedules = append(mw.Spec.Schedules, v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartTime: &start, EndTime: &end})
	}
	return mw
}

// TestAskingCostsNothing: however often it is asked, the cache is read once for each change, by whoever hears of it first; and whoever
// hears of a change finds it.
func TestAskingCostsNothing(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	reads := 0
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			reads++
			return c.List(ctx, list, options...)
		},
	}).Build()
	s := &Source{Reader: c}
	listeners := []interface {
		Create(event.CreateEvent) bool
		Delete(event.DeleteEvent) bool
	}{s.Changes(), s.Changes(), s.Changes()}
	ask := func(want int) {
		t.Helper()
		for range 100 {
			compiled, err := s.Compiled(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(compiled.Windows) != want {
				t.Fatalf("%d windows, want %d", len(compiled.Windows), want)
			}
		}
	}
	ask(0)
	for i := range 20 {
		mw := daily(fmt.Sprintf("w%d", i), 1)
		if err := c.Create(t.Context(), mw); err != nil {
			t.Fatal(err)
		}
		for _, l := range listeners {
			l.Create(event.CreateEvent{Object: mw})
			ask(i + 1)
		}
	}
	if want := 2 + 2*20; reads != want {
		t.Errorf("%d reads of the cache, want %d", reads, want)
	}
	gone := daily("w3", 1)
	if err := c.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	listeners[1].Delete(event.DeleteEvent{Object: gone})
	ask(19)
}

// TestNobodyWaitsForACostlyWindow: what has many entries is worked out by itself; meanwhile the others are as they are, a new one governs
// and is shut, and one that is changed is as it was before.
func TestNobodyWaitsForACostlyWindow(t *testing.T) {
	noon := time.Date(2026, 5, 13, 0, 10, 0, 0, time.UTC)
	open := func(c *Compiled, name string) bool {
		state, found := c.Set.Window(name, noon)
		if !found {
			t.Fatalf("%s governs nothing", name)
		}
		return state.Open
	}
	cache := &Cache{aside: true}
	cheap, costly, changed := *daily("cheap", 1), *daily("costly", manyEntries), *daily("changed", manyEntries)
	if c := cache.Compile([]v1alpha1.MaintenanceWindow{cheap, changed}, nil); c.Pending || !open(c, "cheap") || !open(c, "changed") {
		t.Fatal("at first all is waited for")
	}
	cache.windows.running.Lock() // as if one took very long
	changed.Generation = 2
	changed.Spec.Schedules = changed.Spec.Schedules[1:]
	changed.Spec.Schedules = append(changed.Spec.Schedules, daily("", 12).Spec.Schedules[11])
	all := []v1alpha1.MaintenanceWindow{cheap, costly, changed, *daily("late", 1)}
	c := cache.Compile(all, nil)
	if !c.Pending || !open(c, "cheap") || !open(c, "late") || open(c, "costly") || !open(c, "changed") {
		t.Errorf("meanwhile: pending %v, cheap %v, late %v, costly %v, changed %v", c.Pending, open(c, "cheap"), open(c, "late"), open(c, "costly"), open(c, "changed"))
	}
	cache.windows.running.Unlock()
	for deadline := time.Now().Add(10 * time.Second); c.Pending && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c = cache.Compile(all, nil)
	}
	if c.Pending || !open(c, "costly") || open(c, "changed") || len(cache.windows.started) > 0 {
		t.Errorf("in the end: pending %v, costly %v, changed %v, %d are kept", c.Pending, open(c, "costly"), open(c, "changed"), len(cache.windows.started))
	}
}
