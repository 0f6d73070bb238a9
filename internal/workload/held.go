// Package workload reads which rollouts are held, from the metadata of workloads alone, and what windows and freezes say of them. The
// controllers, the metrics and the command line all read it here.
package workload

import (
	"context"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/gate"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/schedule"
)

// Kinds are the kinds whose rollouts can be held.
var Kinds = []string{"Deployment", "StatefulSet", "DaemonSet"}

// Metadata is an empty object of a kind, to be read without its spec.
func Metadata(kind string) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind))
	return o
}

// Workload is one workload whose rollout is held or has been released.
type Workload struct {
	rollout.Object
	Meta    *metav1.PartialObjectMetadata
	Kind    string
	Verdict gate.Verdict
}

// List reads every held or released workload and judges it. The reader is a cache that holds nothing else, or the API itself.
func List(ctx context.Context, reader client.Reader, compiled *compile.Compiled, now time.Time) ([]Workload, error) {
	var all []Workload
	for _, kind := range Kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
		if err := reader.List(ctx, list, client.HasLabels{v1alpha1.HeldLabel}, client.UnsafeDisableDeepCopy); err != nil {
			return nil, err
		}
		for i := range list.Items {
			if list.Items[i].DeletionTimestamp == nil { // what is on its way out rolls out nothing more
				all = append(all, Workload{Kind: kind, Meta: &list.Items[i]})
			}
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	namespaces := &metav1.PartialObjectMetadataList{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := reader.List(ctx, namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	byName := make(map[string]*metav1.PartialObjectMetadata, len(namespaces.Items))
	for i := range namespaces.Items {
		byName[namespaces.Items[i].Name] = &namespaces.Items[i]
	}
	for i := range all {
		all[i].Judge(byName[all[i].Meta.Namespace], compiled, now)
	}
	return all, nil
}

// Judge works out what the marks of a workload mean at now, in its namespace.
func (w *Workload) Judge(namespace *metav1.PartialObjectMetadata, compiled *compile.Compiled, now time.Time) {
	labels, annotations := w.Meta.Labels, w.Meta.Annotations
	w.Object = rollout.Object{Key: override.ObjectName(w.Kind, w.Meta.Namespace, w.Meta.Name), Namespace: w.Meta.Namespace}
	w.Released, w.LetGo = labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting, labels[v1alpha1.HeldLabel] == v1alpha1.HeldLetGo
	// What cannot be read is none.
	w.Priority, _ = strconv.Atoi(annotations[v1alpha1.ReleasePriorityAnnotation])
	w.Since, _ = time.Parse(v1alpha1.HeldTime, labels[v1alpha1.HeldSinceLabel])
	w.Overridden = override.Parse(w.Meta).Stands(now)
	var namespaceLabels map[string]string
	w.Unknown = namespace == nil // a cache that is behind
	if namespace != nil {
		namespaceLabels = namespace.Labels
		w.Overridden = w.Overridden || override.Parse(namespace).Stands(now)
	}
	if !compiled.Operator.Protected(w.Meta.Namespace) {
		w.Verdict = compiled.Set.Verdict(namespaceLabels, labels, gate.Rollout, now)
	}
	w.Windows, w.Open, w.Accepting, w.Frozen = w.Verdict.Windows, w.Verdict.Open, w.Verdict.Accepting, w.Verdict.Freeze != ""
}

// Windows says how the windows release, as of now.
func Windows(compiled *compile.Compiled, windows []v1alpha1.MaintenanceWindow, now time.Time) map[string]rollout.Window {
	result := make(map[string]rollout.Window, len(windows))
	for i := range windows {
		mw := &windows[i]
		current, open := Occurrence(compiled, mw, now)
		w := rollout.Window{Open: open}
		if p := mw.Spec.Release; p != nil {
			w.MaxConcurrent = int(p.MaxConcurrent)
			w.StopOnFailure, w.PauseOnClose = p.OnFailure == "Stop", p.OnClose == "Pause"
			w.CloseWhenDone = p.EarlyClose == "WhenDone" && !current.End.IsZero() // what has no end would never open again
		}
		if c := mw.Status.CurrentOccurrence; c != nil && open && c.Start.Time.Equal(current.Start) {
			w.Released, w.Turn = int(c.Released), c.Turn
			if w.StopOnFailure {
				w.Stopped, w.StoppedForAll = stopped(c), len(c.Stopped) >= v1alpha1.MaxStopped
			}
		}
		result[mw.Name] = w
	}
	return result
}

// stopped are the namespaces in which the train of an occurrence has ended.
func stopped(c *v1alpha1.OccurrenceSummary) map[string]bool {
	if c.StoppedBy == "" {
		return nil
	}
	_, first, _ := override.ParseObjectName(c.StoppedBy)
	namespaces := map[string]bool{first: true}
	for _, s := range c.Stopped {
		namespaces[s.Namespace] = true
	}
	return namespaces
}

// Occurrence is the occurrence of a window that is in progress; false when none is. One whose beginning is not known, because it
// is open all the time, began with the window; an end that is not known is zero. That it has been ended early counts also where
// what was compiled does not know of it yet.
func Occurrence(compiled *compile.Compiled, mw *v1alpha1.MaintenanceWindow, now time.Time) (schedule.Occurrence, bool) {
	w := compiled.Windows[mw.Name]
	if _, closed := compile.ClosedAt(mw, now); closed || w.Schedule == nil {
		return schedule.Occurrence{}, false
	}
	state := w.Schedule.State(now)
	if state.Open && state.Current.Start.IsZero() {
		state.Current.Start = mw.CreationTimestamp.In(w.Schedule.Location())
	}
	return state.Current, state.Open
}

// Waiting returns those that wait, in the order in which they will be released as far as that is known now.
func Waiting(all []Workload, windows map[string]rollout.Window) []Workload {
	byKey := make(map[string]Workload, len(all))
	objects := make([]rollout.Object, len(all))
	for i, w := range all {
		byKey[w.Key], objects[i] = w, w.Object
	}
	queue := rollout.Queue(objects, windows)
	waiting := make([]Workload, len(queue))
	for i, o := range queue {
		waiting[i] = byKey[o.Key]
	}
	return waiting
}
