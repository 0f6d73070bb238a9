package monkey

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Breach is one way in which a pod that was there at the beginning was disturbed, or something held ran.
type Breach struct {
	Pod, What string
	// After is how many moves had been played.
	After int
}

func (b Breach) String() string {
	return fmt.Sprintf("pod %s %s after move %d", b.Pod, b.What, b.After)
}

// witness watches the pods and the Service of one namespace.
type witness struct {
	mu     sync.Mutex
	pods   map[types.UID]*corev1.Pod
	sets   map[string]types.UID // the Deployment of each ReplicaSet
	slices map[string]map[types.UID]bool
	// originals are the pods that must stay; nil before the play. owners are the workloads that they belong to.
	originals map[types.UID]*corev1.Pod
	served    map[types.UID]bool
	owners    map[types.UID]bool

	told     map[string]bool
	breaches []Breach
	played   int
	last     time.Time
}

func newWitness() *witness {
	return &witness{
		pods: map[types.UID]*corev1.Pod{}, sets: map[string]types.UID{}, slices: map[string]map[types.UID]bool{}, told: map[string]bool{},
	}
}

// witnesses hands what is watched in the whole cluster to the witness of each namespace.
type witnesses struct {
	mu sync.Mutex
	of map[string]*witness
}

func (w *witnesses) add(namespace string) *witness {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[namespace] = newWitness()
	return w.of[namespace]
}

func (w *witnesses) remove(namespace string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.of, namespace)
}

func (w *witnesses) see(o any, gone bool) {
	if last, isLast := o.(cache.DeletedFinalStateUnknown); isLast {
		o = last.Obj
	}
	meta, isObject := o.(metav1.Object)
	if !isObject {
		return
	}
	w.mu.Lock()
	witness := w.of[meta.GetNamespace()]
	w.mu.Unlock()
	if witness != nil {
		witness.see(o, gone)
	}
}

// watch starts the watches, which end with the context.
func watch(ctx context.Context, config *rest.Config) (*witnesses, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	w := &witnesses{of: map[string]*witness{}}
	factory := informers.NewSharedInformerFactory(client, 0)
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(), factory.Apps().V1().ReplicaSets().Informer(), factory.Apps().V1().Deployments().Informer(),
		factory.Discovery().V1().EndpointSlices().Informer(),
	} {
		if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(o any) { w.see(o, false) }, UpdateFunc: func(_, o any) { w.see(o, false) }, DeleteFunc: func(o any) { w.see(o, true) },
		}); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	return w, nil
}

func (w *witness) see(o any, gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
	switch o := o.(type) {
	case *corev1.Pod:
		w.pods[o.UID] = o
		if gone {
			delete(w.pods, o.UID)
		}
		w.judge(o, gone)
	case *appsv1.ReplicaSet:
		if owner := metav1.GetControllerOf(o); owner != nil && !gone {
			w.sets[o.Name] = owner.UID
		} else {
			delete(w.sets, o.Name)
		}
		for _, p := range w.pods {
			w.judge(p, false)
		}
	case *discoveryv1.EndpointSlice:
		if o.Labels[discoveryv1.LabelServiceName] != service {
			return
		}
		w.slices[o.Name] = ready(o)
		if gone {
			delete(w.slices, o.Name)
		}
		for uid := range w.served {
			if !w.serves(uid) {
				w.tell(w.originals[uid], "lost its place behind the Service")
			}
		}
	}
}

func ready(s *discoveryv1.EndpointSlice) map[types.UID]bool {
	uids := map[types.UID]bool{}
	for _, e := range s.Endpoints {
		if e.TargetRef != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
			uids[e.TargetRef.UID] = true
		}
	}
	return uids
}

func (w *witness) serves(uid types.UID) bool {
	for _, s := range w.slices {
		if s[uid] {
			return true
		}
	}
	return false
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// judge tells what has become of a pod.
func (w *witness) judge(p *corev1.Pod, gone bool) {
	if w.originals == nil {
		return
	}
	before := w.originals[p.UID]
	if before == nil {
		if w.runsHeld(p) {
			w.tell(p, "runs what is held")
		}
		return
	}
	switch {
	case gone || p.DeletionTimestamp != nil:
		w.tell(before, "was deleted")
	case p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded:
		w.tell(before, "has ended")
	case !isReady(p):
		w.tell(before, "is not ready any more")
	// What a kubelet acts upon; the simulated ones do not.
	case p.Spec.ActiveDeadlineSeconds != nil && before.Spec.ActiveDeadlineSeconds == nil:
		w.tell(before, "was given a deadline")
	case p.Spec.Containers[0].Image != before.Spec.Containers[0].Image:
		w.tell(before, "was given another image")
	}
}

// runsHeld tells whether a pod of a workload that was there at the beginning runs a template that is held.
func (w *witness) runsHeld(p *corev1.Pod) bool {
	owner := metav1.GetControllerOf(p)
	if owner == nil || p.Spec.Containers[0].Image != heldImage {
		return false
	}
	uid := owner.UID
	if owner.Kind == "ReplicaSet" {
		uid = w.sets[owner.Name]
	}
	return w.owners[uid]
}

func (w *witness) tell(p *corev1.Pod, what string) {
	if key := p.Name + what; !w.told[key] {
		w.told[key] = true
		w.breaches = append(w.breaches, Breach{p.Name, what, w.played})
	}
}

// begin takes the pods as they are for those that must stay, once a number of them is ready and behind the Service.
func (w *witness) begin(pods, served int, workloads map[types.UID]bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	originals, behind := map[types.UID]*corev1.Pod{}, map[types.UID]bool{}
	for uid, p := range w.pods {
		if isReady(p) && p.DeletionTimestamp == nil {
			originals[uid] = p
			if w.serves(uid) {
				behind[uid] = true
			}
		}
	}
	if len(originals) != pods || len(w.pods) != pods || len(behind) != served {
		return fmt.Errorf("%d of %d pods are ready, %d of %d behind the Service", len(originals), pods, len(behind), served)
	}
	w.originals, w.served, w.owners, w.told, w.breaches = originals, behind, workloads, map[string]bool{}, nil
	return nil
}

// after notes that another move has been played.
func (w *witness) after(moves int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.played = moves
}

// seen is what has been seen until now, and when something happened last.
func (w *witness) seen() ([]Breach, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.breaches), w.last
}
