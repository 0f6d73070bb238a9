package pageserver

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/version/versiontest"
)

// TestWhenChanged: the page is drawn anew for what it shows, and not for every status write.
func TestWhenChanged(t *testing.T) {
	mw := func(change func(*v1alpha1.MaintenanceWindow)) *v1alpha1.MaintenanceWindow {
		w := &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: "w", UID: "w", Generation: 1, ResourceVersion: "1"}}
		if change != nil {
			change(w)
		}
		return w
	}
	labelled := func(labels map[string]string) *metav1.PartialObjectMetadata {
		return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	}
	standing := func(notice string) []v1alpha1.OverrideRecord {
		return []v1alpha1.OverrideRecord{{Object: "Deployment tierp/web", Notice: notice, From: metav1.NewTime(time.Unix(1, 0)), Until: metav1.NewTime(time.Unix(2, 0))}}
	}
	for title, tc := range map[string]struct {
		before, after any
		want          bool
	}{
		"a status write": {mw(nil), mw(func(w *v1alpha1.MaintenanceWindow) { w.ResourceVersion, w.Status.Namespaces = "2", 7 }), false},
		"a spec":         {mw(nil), mw(func(w *v1alpha1.MaintenanceWindow) { w.Generation = 2 }), true},
		"closed early": {mw(nil), mw(func(w *v1alpha1.MaintenanceWindow) {
			w.Status.ClosedEarly = &v1alpha1.Occurrence{Start: metav1.NewTime(time.Unix(1, 0)), End: metav1.NewTime(time.Unix(2, 0))}
		}), true},
		"a freeze":                 {&v1alpha1.ChangeFreeze{}, &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Generation: 2}}, true},
		"a record":                 {&corev1.ConfigMap{}, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "2"}}, true},
		"labels of a namespace":    {labelled(nil), labelled(map[string]string{"kommun": "tierp"}), true},
		"another annotation of it": {labelled(nil), &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"a": "b"}}}, false},
		"an override":              {mw(nil), mw(func(w *v1alpha1.MaintenanceWindow) { w.Status.Overrides = standing("") }), true},
		"its sentence": {
			mw(func(w *v1alpha1.MaintenanceWindow) { w.Status.Overrides = standing("") }),
			mw(func(w *v1alpha1.MaintenanceWindow) { w.Status.Overrides = standing("E-posten startas om.") }), true,
		},
		"who changed something under it": {
			mw(func(w *v1alpha1.MaintenanceWindow) { w.Status.Overrides = standing("") }),
			mw(func(w *v1alpha1.MaintenanceWindow) {
				w.Status.Overrides = standing("")
				w.Status.Overrides[0].ChangedBy = []string{"kubectl-set"}
			}), false,
		},
		"a resync": {&corev1.ConfigMap{}, &corev1.ConfigMap{}, false},
	} {
		changed := false
		handler := whenChanged(func(client.Object, bool) {}, func() { changed = true })
		if handler.OnUpdate(tc.before, tc.after); changed != tc.want {
			t.Errorf("%s: changed %t", title, changed)
		}
		changed = false
		if handler.OnAdd(tc.after, false); !changed {
			t.Errorf("%s: a new object changes nothing", title)
		}
		changed = false
		if handler.OnDelete(tc.before); !changed {
			t.Errorf("%s: a deleted object changes nothing", title)
		}
	}
}

// TestUserAgent: the API server is told which program asks, and its version.
func TestUserAgent(t *testing.T) {
	versiontest.Asks(t, "fonster-page", func(url string) {
		if err := Run(t.Context(), &rest.Config{Host: url}, Options{Address: "127.0.0.1:0", ProbeAddress: "0", Now: time.Now}); err == nil {
			t.Error("it runs without a cluster")
		}
	})
}
