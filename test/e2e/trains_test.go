package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/parallel"
	"fonster.dev/fonster/internal/workload"
	"fonster.dev/fonster/test/cluster"
)

// trainSize is how many workloads of each kind a train has.
type trainSize struct{ deployments, statefulSets, daemonSets int }

func (s trainSize) total() int { return s.deployments + s.statefulSets + s.daemonSets }

// train is a namespace full of workloads that wait for a window.
type train struct {
	t             *testing.T
	ns            string
	size          trainSize
	maxConcurrent int
	window        *v1alpha1.MaintenanceWindow
	objects       []holdable
	generations   map[string]int64
	since         map[string]string
	priority      map[string]int
	ledger        *ledger
	// twins are objects like those of the train that no window governs, by shape.
	twins map[string]client.Object
}

// each runs do for every object, several at a time.
func each[T any](t *testing.T, items []T, do func(T) error) {
	t.Helper()
	if err := parallel.Each(16, items, do); err != nil {
		t.Fatal(err)
	}
}

func isParked(o client.Object) bool {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Paused
	case *appsv1.StatefulSet:
		r := o.Spec.UpdateStrategy.RollingUpdate
		return r != nil && r.Partition != nil && *r.Partition == v1alpha1.HeldPartition
	case *appsv1.DaemonSet:
		return o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType
	}
	return false
}

// newTrain creates the workloads, changes every one of them outside the window, and checks that no pod was replaced.
func newTrain(t *testing.T, size trainSize, maxConcurrent int) *train {
	t.Helper()
	tr := &train{t: t, ns: testName(t), size: size, maxConcurrent: maxConcurrent, generations: map[string]int64{}, since: map[string]string{}, priority: map[string]int{}, twins: map[string]client.Object{}}
	namespace(t, tr.ns)
	namespace(t, tr.ns+"-twin")
	add := func(kind string, o client.Object) {
		tr.objects = append(tr.objects, holdable{o, kind, isParked})
		if tr.twins[shape(o)] == nil {
			twin := o.DeepCopyObject().(client.Object)
			twin.SetNamespace(tr.ns + "-twin")
			tr.twins[shape(o)] = twin
		}
	}
	for i := range size.deployments {
		name := fmt.Sprintf("web-%03d", i)
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: tr.ns, Name: name, Labels: map[string]string{"app": name}},
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1)), Selector: selector(name), Template: template(name, "app:1")},
		}
		if i%10 == 7 {
			tr.priority["Deployment/"+name] = 5
			d.Annotations = map[string]string{v1alpha1.ReleasePriorityAnnotation: "5"}
		}
		add("Deployment", d)
	}
	for i := range size.statefulSets {
		name := fmt.Sprintf("db-%02d", i)
		add("StatefulSet", &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: tr.ns, Name: name, Labels: map[string]string{"app": name}},
			Spec:       appsv1.StatefulSetSpec{Replicas: new(int32(2)), Selector: selector(name), Template: template(name, "app:1"), PodManagementPolicy: appsv1.ParallelPodManagement},
		})
	}
	for i := range size.daemonSets {
		name := fmt.Sprintf("agent-%02d", i)
		add("DaemonSet", &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: tr.ns, Name: name, Labels: map[string]string{"app": name}},
			Spec:       appsv1.DaemonSetSpec{Selector: selector(name), Template: template(name, "app:1")},
		})
	}
	each(t, tr.objects, func(h holdable) error { return shared.Admin.Create(t.Context(), h.object) })
	twins := slices.Collect(maps.Values(tr.twins))
	each(t, twins, func(o client.Object) error { return shared.Admin.Create(t.Context(), o) })
	rolled := func(image string) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			for _, o := range twins {
				if get(t, o); rolledOut(o, image) != nil {
					return rolledOut(o, image)
				}
			}
			return nil
		})
	}
	t.Cleanup(func() {
		c, err := shared.As("system:kube-controller-manager", "system:masters")
		if err != nil {
			return
		}
		for _, o := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}} {
			_ = c.DeleteAllOf(context.Background(), o, client.InNamespace(tr.ns))
		}
	})
	tr.all(3*time.Minute, func(h holdable) error { return rolledOut(h.object, "app:1") })
	rolled("app:1")
	each(t, twins, func(o client.Object) error { return patchImage(t.Context(), shared.Admin, o, "app:2") })
	rolled("app:2")
	tr.window = window(t, tr.ns, tr.ns, nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: int32(maxConcurrent)}
	})
	before := podUIDs(t, tr.ns)
	each(t, tr.objects, func(h holdable) error { return patchImage(t.Context(), shared.Admin, h.object, "app:2") })
	for _, h := range tr.objects {
		wantHeld(t, h)
		tr.generations[key(h)], tr.since[key(h)] = h.object.GetGeneration(), h.object.GetLabels()[v1alpha1.HeldSinceLabel]
	}
	time.Sleep(3 * time.Second)
	if after := podUIDs(t, tr.ns); !slices.Equal(before, after) {
		t.Fatalf("%d pods were replaced while held", len(after))
	}
	tr.ledger = newLedger(t, tr.ns)
	return tr
}

// shape tells apart what of a train is not alike but for names.
func shape(o client.Object) string {
	return fmt.Sprintf("%T %v", o, o.GetAnnotations()[v1alpha1.ReleasePriorityAnnotation])
}

// unnamed is the metadata and the spec of an object, without what differs between any two: names, UIDs, versions and times.
func unnamed(t *testing.T, o client.Object) string {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	delete(content, "status")
	metadata := content["metadata"].(map[string]any)
	for _, field := range []string{"name", "namespace", "uid", "resourceVersion", "creationTimestamp", "generation"} { // the generation counts the hold
		delete(metadata, field)
	}
	for _, m := range metadata["managedFields"].([]any) {
		delete(m.(map[string]any), "time")
	}
	text, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), strconv.Quote(o.GetName()), `"NAME"`)
}

// wantLikeTwin checks that an object is as one that was never held.
func (tr *train) wantLikeTwin(h holdable) {
	tr.t.Helper()
	if diff := cmp.Diff(unnamed(tr.t, tr.twins[shape(h.object)]), unnamed(tr.t, h.object)); diff != "" {
		tr.t.Errorf("%s is not as one that was never held (-never +held):\n%s", h.resource(), diff)
	}
}

func key(h holdable) string { return h.kind + "/" + h.object.GetName() }

// all waits until check is content with every object, read from the API.
func (tr *train) all(limit time.Duration, check func(holdable) error) {
	tr.t.Helper()
	left := tr.objects
	eventually(tr.t, limit, func() error {
		var still []holdable
		var first error
		for _, h := range left {
			err := shared.Admin.Get(tr.t.Context(), client.ObjectKeyFromObject(h.object), h.object)
			if err == nil {
				err = check(h)
			}
			if err != nil {
				still = append(still, h)
				first = errors.Join(first, err)
				if len(still) > 5 {
					still = left
					break
				}
			}
		}
		left = still
		if len(left) > 0 {
			time.Sleep(200 * time.Millisecond)
		}
		return first
	})
}

// open opens the window, now.
func (tr *train) open() {
	tr.t.Helper()
	eventually(tr.t, 5*time.Second, func() error {
		get(tr.t, tr.window)
		tr.window.Spec.Schedules = []v1alpha1.Schedule{always()}
		return shared.Admin.Update(tr.t.Context(), tr.window)
	})
}

// finish waits for the end, and checks the whole ledger.
func (tr *train) finish(limit time.Duration) {
	t := tr.t
	t.Helper()
	start := time.Now()
	tr.all(limit, func(h holdable) error {
		for _, label := range []string{v1alpha1.HeldLabel, v1alpha1.HeldSinceLabel, v1alpha1.HeldPartitionLabel} {
			if v, found := h.object.GetLabels()[label]; found {
				return fmt.Errorf("%s still has %s=%s", h.resource(), label, v)
			}
		}
		if isParked(h.object) {
			return fmt.Errorf("%s is still held", h.resource())
		}
		return rolledOut(h.object, "app:2")
	})
	took := time.Since(start)
	for _, h := range tr.objects {
		if got, want := h.object.GetGeneration(), tr.generations[key(h)]+1; got != want {
			t.Errorf("%s: generation %d, want %d: released once, and nothing else", h.resource(), got, want)
		}
		if d, ok := h.object.(*appsv1.Deployment); ok && d.Annotations["deployment.kubernetes.io/revision"] != "2" {
			t.Errorf("%s: revision %s", h.resource(), d.Annotations["deployment.kubernetes.io/revision"])
		}
		if s, ok := h.object.(*appsv1.StatefulSet); ok && *s.Spec.UpdateStrategy.RollingUpdate.Partition != 0 {
			t.Errorf("%s: partition %d", h.resource(), *s.Spec.UpdateStrategy.RollingUpdate.Partition)
		}
	}
	for _, twin := range tr.twins {
		get(t, twin)
	}
	for _, h := range tr.objects {
		tr.wantLikeTwin(h)
	}
	wantNothingOfOurs(t, tr.ns)
	tr.wantRevisions()
	most, marked, order := tr.ledger.replay(t)
	if marked > tr.maxConcurrent {
		t.Errorf("%d marked at once as let go, want at most %d", marked, tr.maxConcurrent)
	}
	if most > tr.maxConcurrent {
		t.Errorf("%d at once, want at most %d", most, tr.maxConcurrent)
	}
	if len(order) != tr.size.total() {
		t.Errorf("%d releases, want %d", len(order), tr.size.total())
	}
	want := slices.Clone(order)
	slices.SortStableFunc(want, func(a, b string) int {
		if c := tr.priority[b] - tr.priority[a]; c != 0 {
			return c
		}
		return compareStrings(tr.since[a], tr.since[b])
	})
	for i := range order { // those released at once may come in any order, and so may those held in the same second
		a := order[i]
		j := slices.IndexFunc(want, func(b string) bool { return tr.priority[b] == tr.priority[a] && tr.since[b] == tr.since[a] })
		last := j
		for last < len(want) && tr.priority[want[last]] == tr.priority[a] && tr.since[want[last]] == tr.since[a] {
			last++
		}
		if i < j-tr.maxConcurrent || i > last+tr.maxConcurrent {
			t.Errorf("%s was released as number %d, want %d to %d", a, i, j, last)
		}
	}
	fmt.Printf("train %s: %d objects, at most %d at once (bound %d), %s\n", t.Name(), len(order), most, tr.maxConcurrent, took.Round(time.Second))
}

// wantRevisions checks that every object has had two templates, and no more: that before the train, and that of it.
func (tr *train) wantRevisions() {
	t := tr.t
	t.Helper()
	var sets appsv1.ReplicaSetList
	var revisions appsv1.ControllerRevisionList
	wantPassed(t, shared.Admin.List(t.Context(), &sets, client.InNamespace(tr.ns)))
	wantPassed(t, shared.Admin.List(t.Context(), &revisions, client.InNamespace(tr.ns)))
	if got, want := len(sets.Items), 2*tr.size.deployments; got != want {
		t.Errorf("%d ReplicaSets, want %d", got, want)
	}
	if got, want := len(revisions.Items), 2*(tr.size.statefulSets+tr.size.daemonSets); got != want {
		t.Errorf("%d ControllerRevisions, want %d", got, want)
	}
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// ledger is every version of the workloads of a namespace, as the API tells of it.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	cancel  context.CancelFunc
	group   sync.WaitGroup
}

type entry struct {
	version  uint64
	key      string
	parked   bool
	progress bool // let go of, and not rolled out
	marked   bool // as let go of
}

func newLedger(t *testing.T, ns string) *ledger {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &ledger{cancel: cancel}
	t.Cleanup(func() { cancel(); l.group.Wait() })
	c, err := client.NewWithWatch(shared.Config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	for kind, list := range map[string]client.ObjectList{"Deployment": &appsv1.DeploymentList{}, "StatefulSet": &appsv1.StatefulSetList{}, "DaemonSet": &appsv1.DaemonSetList{}} {
		l.group.Go(func() {
			for ctx.Err() == nil { // an API server that restarts ends the watch; a new one begins with everything there is
				w, err := c.Watch(ctx, list, client.InNamespace(ns))
				if err != nil {
					time.Sleep(50 * time.Millisecond)
					continue
				}
				for e := range w.ResultChan() {
					if o, ok := e.Object.(client.Object); ok && (e.Type == watch.Added || e.Type == watch.Modified) {
						l.add(kind, o)
					}
				}
			}
		})
	}
	return l
}

func (l *ledger) add(kind string, o client.Object) {
	version, _ := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	parked := isParked(o)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, entry{version, kind + "/" + o.GetName(), parked, !parked && rolledOut(o, "app:2") != nil, o.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldReleasing})
}

// replay goes through the versions in order: how many were in progress at most, and marked so, and in which order they were let go.
func (l *ledger) replay(t *testing.T) (most, marks int, order []string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.SortFunc(l.entries, func(a, b entry) int { return int(int64(a.version) - int64(b.version)) })
	// A rollout is in progress from its release until it is done for the first time, when kubectl rollout status would end. That a
	// pod fails later, or its node, is no rollout.
	running, released, done, marked := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, e := range l.entries {
		if delete(marked, e.key); e.marked {
			marked[e.key] = true
		}
		marks = max(marks, len(marked))
		switch {
		case e.parked && released[e.key]:
			t.Errorf("%s was held again", e.key)
		case !e.parked && !released[e.key]:
			released[e.key] = true
			order = append(order, e.key)
		}
		switch {
		case e.progress && done[e.key]:
			t.Logf("%s was done before, and is not available at version %d", e.key, e.version)
		case e.progress:
			running[e.key] = true
		case released[e.key]:
			done[e.key] = true
			delete(running, e.key)
		}
		most = max(most, len(running))
	}
	return most, marks, order
}

// longTrain is a train of 225 workloads when soaking, and else of a third as many: of every kind, and with both priorities.
func longTrain() trainSize {
	if soak {
		return trainSize{200, 20, 5}
	}
	return trainSize{60, 8, 4}
}

// TestTrain: many workloads changed outside the window roll out when it opens, a few at a time and in order, and are then as a
// plain rollout would have left them.
func TestTrain(t *testing.T) {
	tr := newTrain(t, longTrain(), 10)
	tr.open()
	tr.finish(5 * time.Minute)
}

// TestTrainKilled: the same with the operator killed 15 times, or 50 when soaking, at random instants, each of them before the train has
// ended.
func TestTrainKilled(t *testing.T) {
	kills := 15
	if soak {
		kills = 50
	}
	tr := newTrain(t, longTrain(), 1) // one after another, so that it lasts longer than the kills
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	restart := func() {
		t.Helper()
		operator.Kill()
		var err error
		if operator, err = shared.StartOperator(context.Background(), "--leader-elect-lease-duration=2s", "--leader-elect-renew-deadline=1500ms", "--leader-elect-retry-period=200ms"); err != nil {
			t.Fatal(err)
		}
	}
	// A lease runs as long as its holder has said: behind that of the operator before, none of those killed would ever lead.
	restart()
	time.Sleep(10 * time.Second)
	tr.open()
	var left []int // how many were not done, at each kill
	// From before it leads until well into a plan: a dead leader's lease runs out after two seconds. On a busy machine that is later.
	longest := 3 * time.Second
	for len(left) < kills {
		time.Sleep(time.Duration(random.Int64N(int64(longest))))
		operator.Kill()
		n := tr.left()
		if n == tr.size.total() {
			longest += 500 * time.Millisecond
		}
		if n == 0 {
			t.Fatalf("the train has ended after %d kills, want %d during it", len(left), kills)
		}
		left = append(left, n)
		restart()
	}
	restartOperator(t)
	keepRunning(t)
	tr.finish(8 * time.Minute)
	fmt.Printf("train %s: killed %d times during it, with so many left: %v\n", t.Name(), kills, left)
	if left[kills-1] == tr.size.total() {
		t.Error("nothing went on between the kills")
	}
}

// left is how many workloads of the train wait, or are not known to be done.
func (tr *train) left() (n int) {
	tr.t.Helper()
	for _, kind := range workload.Kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(kind + "List"))
		wantPassed(tr.t, shared.Admin.List(tr.t.Context(), list, client.InNamespace(tr.ns), client.HasLabels{v1alpha1.HeldLabel}))
		n += len(list.Items)
	}
	return n
}

// keepRunning starts the operator again whenever it ends by itself, as a kubelet does: it ends when it cannot renew its lease.
func keepRunning(t *testing.T) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-operator.Ended():
			}
			log := operator.Log()
			t.Logf("the operator ended: %s", log[max(0, len(log)-500):])
			if next, err := shared.StartOperator(context.Background()); err == nil {
				operator = next
			} else {
				t.Logf("starting it again: %v", err)
				time.Sleep(time.Second)
			}
		}
	}()
}

// TestTrainAPIServerRestarts: the same with the API server killed and started again in the middle, when soaking twice.
func TestTrainAPIServerRestarts(t *testing.T) {
	size, restarts := trainSize{40, 6, 3}, 1
	if soak {
		size, restarts = trainSize{60, 10, 3}, 2
	}
	tr := newTrain(t, size, 4)
	t.Cleanup(func() { // for the tests that follow: what has just started refuses what it cannot judge yet
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "admitted"}}
		for range 90 {
			if shared.Admin.Create(context.Background(), ns.DeepCopy(), client.DryRunAll) == nil {
				return
			}
			time.Sleep(time.Second)
		}
	})
	keepRunning(t)
	tr.open()
	for range restarts {
		time.Sleep(3 * time.Second)
		var waiting appsv1.DeploymentList
		if err := shared.Admin.List(t.Context(), &waiting, client.InNamespace(tr.ns), client.MatchingLabels{v1alpha1.HeldLabel: v1alpha1.HeldWaiting}); err != nil {
			t.Fatal(err)
		}
		if len(waiting.Items) == 0 {
			t.Error("nothing waits any more when the API server is killed")
		}
		// Its controllers too: they would end by themselves when they cannot renew their leases.
		if err := shared.Restart("kube-apiserver", "kube-controller-manager", "kube-scheduler"); err != nil {
			t.Fatal(err)
		}
	}
	tr.finish(5 * time.Minute)
}
