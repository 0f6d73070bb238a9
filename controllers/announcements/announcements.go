// Package announcements keeps, for each window, a record of what was announced, so that the page can tell what was cancelled
// or moved: one ConfigMap in the operator's namespace. Nothing is gated by it. It runs on every replica; a write carries the
// resourceVersion that it was worked out from, so that of several replicas one makes each change. Windows carry no finalizer:
// one that is gone is known by the record it left.
package announcements

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/doors"
	"fonster.dev/fonster/internal/record"
)

const (
	// Label marks the ConfigMaps that hold records.
	Label = "maintenance.fonster.dev/announced"
	// windowAnnotation names the window of a record, also when the window is gone.
	windowAnnotation = "maintenance.fonster.dev/window"
	dataKey          = "record.json"

	// again is when to come back after another replica was first.
	again = 100 * time.Millisecond
	// maxWait bounds the wait for a record to expire, so that a step of the clock is noticed.
	maxWait = time.Hour
)

// +kubebuilder:rbac:groups="",resources=configmaps,namespace=fonster-system,verbs=get;list;watch;create;update;delete

// Reconciler writes records.
type Reconciler struct {
	Client client.Client
	// Live reads from the API server. A cache may be behind the record that another replica has written, and would take a window
	// that it has not heard of for one that was deleted: so whatever is written is worked out from a live read.
	Live   client.Reader
	Source *compile.Source
	Now    func() time.Time
}

// SetupWithManager registers the reconciler.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).Named("announcements").
		For(&v1alpha1.MaintenanceWindow{}, builder.WithPredicates(compile.Changes)).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(windowOf)).
		Watches(&v1alpha1.ChangeFreeze{}, handler.EnqueueRequestsFromMapFunc(r.everyWindow), builder.WithPredicates(compile.Changes)).
		WithOptions(controller.Options{
			NeedLeaderElection: new(false),
			RateLimiter:        workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, time.Minute),
		}).
		Complete(r)
}

// windowOf is the window that a record is of.
func windowOf(_ context.Context, object client.Object) []reconcile.Request {
	if name := object.GetAnnotations()[windowAnnotation]; name != "" {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
	}
	return nil
}

// everyWindow is every window: any freeze may lie over any of them.
func (r *Reconciler) everyWindow(ctx context.Context, _ client.Object) []reconcile.Request {
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return nil // the cache is not filled yet: every window comes by itself
	}
	var requests []reconcile.Request
	for _, name := range compiled.Names("MaintenanceWindow") {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: name}})
	}
	return requests
}

// Reconcile brings the record of one window up to date.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	now := r.Now()
	stored := &corev1.ConfigMap{}
	key := types.NamespacedName{Namespace: doors.OperatorNamespace, Name: objectName(req.Name)}
	if err := client.IgnoreNotFound(r.Client.Get(ctx, key, stored)); err != nil {
		return ctrl.Result{}, err
	}
	old := parse(stored)
	var next *record.Record
	var window *v1alpha1.MaintenanceWindow
	for _, reader := range []client.Reader{r.Client, r.Live} {
		var freezes string
		var err error
		if window, freezes, err = r.read(ctx, reader, req.Name); err != nil {
			return ctrl.Result{}, err
		}
		next = record.Next(old, window, freezes, now)
		if next == old && (next != nil || stored.ResourceVersion == "") {
			return wait(next, window, now), nil
		}
	}
	switch err := r.write(ctx, stored, req.Name, next); {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return ctrl.Result{RequeueAfter: again}, nil // another replica was first, or the cache is a moment behind
	case err != nil:
		return ctrl.Result{}, err
	}
	return wait(next, window, now), nil
}

// read returns a window, nil where there is none or it is on its way out, and what identifies the freezes over it.
func (r *Reconciler) read(ctx context.Context, reader client.Reader, name string) (*v1alpha1.MaintenanceWindow, string, error) {
	window := &v1alpha1.MaintenanceWindow{}
	if err := reader.Get(ctx, types.NamespacedName{Name: name}, window); err != nil {
		return nil, "", client.IgnoreNotFound(err)
	}
	if !window.DeletionTimestamp.IsZero() {
		return nil, "", nil
	}
	compiled, err := r.Source.Compiled(ctx)
	if err != nil {
		return nil, "", err
	}
	var over []string
	for _, f := range compiled.Set.Blocking(name) {
		freeze := &v1alpha1.ChangeFreeze{}
		if err := r.Client.Get(ctx, types.NamespacedName{Name: f.Name}, freeze); err != nil {
			return nil, "", err
		}
		over = append(over, fmt.Sprintf("%s/%d", freeze.UID, freeze.Generation))
	}
	return window, strings.Join(over, ","), nil
}

func (r *Reconciler) write(ctx context.Context, stored *corev1.ConfigMap, window string, next *record.Record) error {
	if next == nil {
		return r.Client.Delete(ctx, stored, client.Preconditions{ResourceVersion: &stored.ResourceVersion})
	}
	text, err := json.Marshal(next)
	if err != nil {
		return reconcile.TerminalError(err)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: doors.OperatorNamespace, Name: objectName(window),
			Labels:      map[string]string{Label: "true", doors.ManagedByLabel: doors.ManagedBy},
			Annotations: map[string]string{windowAnnotation: window},
		},
		Data: map[string]string{dataKey: string(text)},
	}
	if stored.ResourceVersion == "" {
		return r.Client.Create(ctx, object)
	}
	object.ResourceVersion = stored.ResourceVersion
	return r.Client.Update(ctx, object)
}

// wait comes back when the record changes by itself: something in it expires, or an occurrence ends that was closed by a clock
// which is ahead.
func wait(r *record.Record, window *v1alpha1.MaintenanceWindow, now time.Time) ctrl.Result {
	if r == nil {
		return ctrl.Result{}
	}
	next := r.Expires()
	if window != nil {
		for _, closed := range compile.Closed(window) {
			if closed.Start.After(now) && (next.IsZero() || closed.Start.Before(next)) {
				next = closed.Start
			}
		}
	}
	if next.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: min(max(next.Sub(now), again), maxWait)}
}

// parse reads a record; nil where there is none that can be read.
func parse(stored *corev1.ConfigMap) *record.Record {
	r := &record.Record{}
	if text, found := stored.Data[dataKey]; !found || json.Unmarshal([]byte(text), r) != nil || r.Window == "" {
		return nil
	}
	return r
}

// Records reads all records, by the name of their window.
func Records(stored []corev1.ConfigMap) map[string]*record.Record {
	records := make(map[string]*record.Record, len(stored))
	for i := range stored {
		if r := parse(&stored[i]); r != nil {
			records[r.Window] = r
		}
	}
	return records
}

// objectName is the name of a window's record; names that would be too long end in a hash.
func objectName(window string) string {
	const prefix, longest = "announced-", 253
	if len(prefix+window) <= longest {
		return prefix + window
	}
	sum := sha256.Sum256([]byte(window))
	return prefix + strings.TrimRight(window[:longest-len(prefix)-17], ".-") + "-" + hex.EncodeToString(sum[:8])
}
