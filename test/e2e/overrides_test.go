package e2e

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/override"
)

func TestOverrideFirst(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	oncall := overrider(t, "oncall-"+ns, ns)
	nobody := overrider(t, "nobody-"+ns)
	set := func(c client.Client, reason string) error {
		return c.Patch(t.Context(), d.DeepCopy(), mergePatch(`{"metadata":{"annotations":{"maintenance.fonster.dev/override":%q}}}`, reason))
	}
	wantRefused(t, set(nobody, "INC-1"), "has no right to override")
	wantPassed(t, set(oncall, "INC-1"))
	get(t, d)
	t.Log(d.Annotations, d.Labels)
	o, _ := override.Parse(d.Annotations)
	if o.By != "oncall-"+ns || o.Until.Before(time.Now().Add(59*time.Minute)) || o.Until.After(time.Now().Add(61*time.Minute)) {
		t.Errorf("%+v", o)
	}
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	wantPassed(t, setImage(t.Context(), nobody, d, "app:3"))
}
