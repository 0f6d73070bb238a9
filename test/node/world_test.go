package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

const (
	// namespace is the operator's, release the name of the release in it.
	namespace, release = policy.DefaultNamespace, "fonster"
	operators, pages   = "fonster-controller-manager", "fonster-page"
	// registry is where hack/node serves images.
	registry = "127.0.0.1:5000"
)

// world is the cluster as its administrator sees it.
type world struct {
	admin client.Client
	// home is where Helm keeps what it has.
	home string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	admin, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{admin: admin, home: t.TempDir()}
	for _, name := range []string{"CACHE", "CONFIG", "DATA"} {
		t.Setenv("HELM_"+name+"_HOME", w.home)
	}
	return w
}

// program is one that is built into .local/bin.
func program(name string) string { return filepath.Join(cluster.Root(), ".local/bin", name) }

// kubectl runs kubectl, which must succeed.
func (w *world) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := output(t.Context(), program("kubectl"), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// helm runs Helm, and says how long it took.
func (w *world) helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	start := time.Now()
	out, err := output(t.Context(), program("helm4"), append(args, "-n", namespace)...)
	how := "succeeded"
	if err != nil {
		how = "failed"
	}
	say("helm %s %s after %s", args[0], how, since(start))
	return out, err
}

func (w *world) create(t *testing.T, o client.Object) {
	t.Helper()
	if err := w.admin.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// say tells of the run, also of one that passes: hack/test.sh shows it.
func say(format string, args ...any) { fmt.Printf("node "+format+"\n", args...) }

func since(start time.Time) time.Duration { return time.Since(start).Round(100 * time.Millisecond) }

// eventually waits until something is so.
func eventually(t *testing.T, limit time.Duration, what func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := what()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// always asks every 100 ms, from now until the returned function is called, which fails the test where an answer was an error.
func always(t *testing.T, what string, ask func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	asked, wrong := 0, []string(nil)
	group.Go(func() {
		for ctx.Err() == nil {
			asked++
			if err := ask(ctx); err != nil && ctx.Err() == nil {
				wrong = append(wrong, time.Now().Format(time.TimeOnly)+" "+err.Error())
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return func() {
		t.Helper()
		cancel()
		group.Wait()
		say("%s: asked %d times, %d wrong", what, asked, len(wrong))
		if len(wrong) > 0 || asked < 3 { // few on a busy machine
			t.Errorf("%s: asked %d times, %d wrong:\n%s", what, asked, len(wrong), strings.Join(wrong[:min(len(wrong), 10)], "\n"))
		}
	}
}

// ready tells which pods are.
func ready(pods []corev1.Pod) (names []string) {
	for _, p := range pods {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// oneReady wants one replica of the operator ready at least.
func (w *world) oneReady(ctx context.Context) error {
	list := &corev1.PodList{}
	if err := w.admin.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/name": "fonster"}); err != nil {
		return err
	}
	if len(ready(list.Items)) == 0 {
		return fmt.Errorf("no replica of the operator is ready")
	}
	return nil
}

// bothReady wants operator and page rolled out.
func (w *world) bothReady(t *testing.T) func() error {
	return func() error {
		for _, name := range []string{operators, pages} {
			if err := w.rolledOut(t, namespace, name); err != nil {
				return err
			}
		}
		return nil
	}
}

// lease is that of the leader.
func (w *world) lease(t *testing.T) *coordinationv1.Lease {
	t.Helper()
	l := &coordinationv1.Lease{}
	if err := w.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "fonster"}, l); err != nil {
		t.Fatal(err)
	}
	return l
}

// leader is the pod that has the lease.
func (w *world) leader(t *testing.T) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{}
	eventually(t, 30*time.Second, func() error {
		l := w.lease(t)
		if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" {
			return fmt.Errorf("nobody has the lease")
		}
		return w.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: *l.Spec.HolderIdentity}, p)
	})
	return p
}

// process is that of a pod's container, as it is numbered where the cluster is.
func process(t *testing.T, p *corev1.Pod) int {
	t.Helper()
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil || id == "" {
		t.Fatalf("the container of %s: %q, %v", p.Name, id, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(content), id) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(file, "/proc/%d/cgroup", &pid); err != nil {
			t.Fatal(err)
		}
		return pid
	}
	t.Fatalf("no process of %s, container %s", p.Name, id)
	return 0
}

// restarts of a pod's container.
func restarts(p *corev1.Pod) int32 { return p.Status.ContainerStatuses[0].RestartCount }

// events of the kind that says reason, of any object in a namespace whose name begins so; their messages.
func (w *world) events(t *testing.T, namespace, reason, object string) (messages []string) {
	t.Helper()
	list := &corev1.EventList{}
	if err := w.admin.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Reason == reason && strings.HasPrefix(e.InvolvedObject.Name, object) {
			messages = append(messages, e.Message)
		}
	}
	return messages
}

// names of pods, and the nodes that they are on.
func names(pods []corev1.Pod) (names, nodes []string) {
	for _, p := range pods {
		names, nodes = append(names, p.Name), append(nodes, p.Spec.NodeName)
	}
	slices.Sort(names)
	slices.Sort(nodes)
	return names, slices.Compact(nodes)
}

var digest = regexp.MustCompile(`sha256:[0-9a-f]{64}`)

// publish pushes the image of a version into the registry, as make push does, and returns its digest.
func (w *world) publish(t *testing.T, version string) string {
	t.Helper()
	out, err := output(t.Context(), releaser(), "push", layout(version), registry+"/fonster:"+version)
	if err != nil {
		t.Fatal(err)
	}
	return digest.FindString(out)
}

// tell prints what there is to see where a step has failed.
func (w *world) tell(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "pods", "-A", "-o", "wide"}, {"get", "events", "-A", "--sort-by=.metadata.creationTimestamp"}, {"get", "mw,gates", "-A", "-o", "wide"},
		{"logs", "-n", namespace, "-l", "app.kubernetes.io/name=fonster", "--tail=15", "--prefix"},
	} {
		out, err := output(context.WithoutCancel(t.Context()), program("kubectl"), args...)
		t.Logf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
