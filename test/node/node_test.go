package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// story is what happens to an installation, from the first day to the last.
type story struct {
	*world
	// digests are those of the images, by version.
	digests map[string]string
	// closed is refused every rollout throughout, holds has its rollouts held, evicts is refused evictions too, free is not governed.
	closed, holds, evicts, free *town
	// hung is the leader that hangs.
	hung *corev1.Pod
}

// chart is the folder of the chart.
var chart = filepath.Join(cluster.Root(), "charts/fonster")

// TestNode is one story: each step begins where the one before has ended.
func TestNode(t *testing.T) {
	s := &story{world: newWorld(t), digests: map[string]string{}}
	for _, step := range []struct {
		name string
		do   func(*story, *testing.T)
	}{
		{"Install", (*story).install},
		{"Restricted", (*story).restricted},
		{"Govern", (*story).govern},
		{"HelmTest", (*story).helmTest},
		{"Services", (*story).services},
		{"LeaderCrashes", (*story).leaderCrashes},
		{"LeaderDeleted", (*story).leaderDeleted},
		{"LeaderHangs", (*story).leaderHangs},
		{"RollOut", (*story).rollOut},
		{"LeaderRestarted", (*story).leaderRestarted},
		{"Drain", (*story).drain},
		{"Upgrade", (*story).upgrade},
		{"Uninstall", (*story).uninstall},
	} {
		start := time.Now()
		if !t.Run(step.name, func(t *testing.T) { step.do(s, t) }) {
			s.tell(t)
			t.FailNow() // what follows rests on it
		}
		say("%s took %s", step.name, since(start))
	}
}

// install pushes the image and installs the chart, by digest, where pods must be restricted: each pod has pulled that image and is ready by its
// own probes, and replicas are on different nodes.
func (s *story) install(t *testing.T) {
	s.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}})
	for _, version := range versions {
		s.digests[version] = s.publish(t, version)
	}
	if _, err := s.helm(t, s.args(versions[0], "install")...); err != nil {
		t.Fatal(err)
	}
	s.runs(t, versions[0])
	for _, app := range []string{"fonster", "fonster-page"} {
		all := s.pods(t, namespace, "app.kubernetes.io/name", app)
		if _, nodes := names(all); len(nodes) != 2 || len(ready(all)) != 2 {
			t.Errorf("%s: %v ready, on %v", app, ready(all), nodes)
		}
	}
	pulled := strings.Join(s.events(t, namespace, "Pulled", "fonster-"), "\n")
	if !strings.Contains(pulled, `Successfully pulled image "`+registry+"/fonster@"+s.digests[versions[0]]+`"`) {
		t.Errorf("the image was not pulled by its digest:\n%s", pulled)
	}
	for _, reason := range []string{"BackOff", "Failed", "FailedMount"} {
		if told := s.events(t, namespace, reason, "fonster-"); len(told) > 0 {
			t.Errorf("%s: %v", reason, told)
		}
	}
}

// args are the arguments of Helm that install or upgrade to a version.
func (s *story) args(version, verb string, more ...string) []string {
	return append([]string{
		verb, release, chart, "--wait", "--timeout", "3m", "--set", "image.repository=" + registry + "/fonster,image.digest=" + s.digests[version],
	}, more...)
}

// runs wants every pod of operator and page ready, with the image of a version.
func (s *story) runs(t *testing.T, version string) {
	t.Helper()
	eventually(t, time.Minute, s.bothReady(t))
	for _, app := range []string{"fonster", "fonster-page"} {
		for _, p := range s.pods(t, namespace, "app.kubernetes.io/name", app) {
			if id := p.Status.ContainerStatuses[0].ImageID; !strings.HasSuffix(id, s.digests[version]) {
				t.Errorf("%s runs %s, want %s", p.Name, id, s.digests[version])
			}
		}
	}
	if out := s.kubectl(t, "exec", "-n", namespace, "deploy/"+operators, "--", "/fonster", "--version"); !strings.HasPrefix(out, "fonster "+version+" ") {
		t.Errorf("%s: %s", version, out)
	}
}

// restricted shows that the operator's namespace refuses a pod that is not.
func (s *story) restricted(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "root"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: registry + "/web:1"}}}}
	if err := client.NewDryRunClient(s.admin).Create(t.Context(), pod); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), `violates PodSecurity "restricted`) {
		t.Errorf("a pod that is not restricted: %v", err)
	}
}

// govern lays windows over towns.
func (s *story) govern(t *testing.T) {
	s.free = s.found(t, "knivsta", 1, "")
	s.closed = s.found(t, "osthammar", 1, v1alpha1.Deny)
	s.evicts = s.found(t, "tierp", 1, v1alpha1.Deny, v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.Evict)
	s.holds = s.found(t, "heby", 2, v1alpha1.Hold)
	s.create(t, web(s.holds.name, "broken", 1))
	eventually(t, 20*time.Second, func() error {
		if err := s.closed.refuses(t.Context()); err == nil {
			return errors.New("a rollout passes")
		}
		return nil
	})
	eventually(t, time.Minute, func() error {
		return errors.Join(s.rolledOut(t, s.free.name, "web"), s.rolledOut(t, s.closed.name, "web"), s.rolledOut(t, s.evicts.name, "web"),
			s.rolledOut(t, s.holds.name, "web"), s.rolledOut(t, s.holds.name, "broken"))
	})
}

// guard wants, until the returned function is called, what is closed refused and what is free let through.
func (s *story) guard(t *testing.T, when string) (stop func()) {
	t.Helper()
	return always(t, "closed gate "+when, func(ctx context.Context) error {
		if err := s.closed.refuses(ctx); err == nil || !strings.Contains(err.Error(), "Rollout of Deployment osthammar/web") {
			return fmt.Errorf("a rollout in %s: %w", s.closed.name, err)
		}
		return s.free.refuses(ctx)
	})
}

// helmTest runs what a user runs after an installation, as a pod.
func (s *story) helmTest(t *testing.T) {
	out, err := s.helm(t, "test", release, "--timeout", "2m")
	if err != nil || !strings.Contains(out, "Succeeded") {
		t.Errorf("%v\n%s", err, out)
	}
}

// services reads the page and the metrics through their Services, from the node and from a pod.
func (s *story) services(t *testing.T) {
	page := "http://" + s.address(t, pages) + "/"
	eventually(t, 10*time.Second, func() error {
		body, err := get(t.Context(), page, "")
		if err != nil || !strings.Contains(body, s.closed.window.Spec.Title) {
			return fmt.Errorf("the page does not name %s: %w\n%.500s", s.closed.window.Spec.Title, err, body)
		}
		return nil
	})
	reader := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.closed.name, Name: "reader"}, Spec: restricted(registry+"/web:1", "-get="+page)}
	reader.Spec.RestartPolicy = corev1.RestartPolicyNever
	s.create(t, reader)
	s.kubectl(t, "wait", "-n", reader.Namespace, "pod/reader", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
	if body := s.kubectl(t, "logs", "-n", reader.Namespace, "reader"); !strings.Contains(body, s.closed.window.Spec.Title) {
		t.Errorf("in a pod the page is\n%.500s", body)
	}

	metrics := "https://" + s.address(t, "fonster-metrics") + ":8443/metrics"
	if _, err := get(t.Context(), metrics, ""); err == nil {
		t.Error("metrics for everybody")
	}
	s.kubectl(t, "create", "clusterrolebinding", "reader", "--clusterrole=fonster-metrics-reader", "--serviceaccount="+s.free.name+":default")
	token := strings.TrimSpace(s.kubectl(t, "create", "token", "-n", s.free.name, "default"))
	eventually(t, 10*time.Second, func() error {
		body, err := get(t.Context(), metrics, token)
		for _, want := range []string{`fonster_gate_open{namespace="osthammar"} 0`, `version="` + versions[0] + `"`} {
			if err == nil && !strings.Contains(body, want) {
				err = fmt.Errorf("no %s", want)
			}
		}
		return err
	})
}

// address is that of a Service in the operator's namespace.
func (s *story) address(t *testing.T, name string) string {
	t.Helper()
	service := &corev1.Service{}
	if err := s.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, service); err != nil {
		t.Fatal(err)
	}
	return service.Spec.ClusterIP
}

// get reads a URL, each time by a connection of its own, so that kube-proxy chooses anew.
func get(ctx context.Context, url, token string) (string, error) {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}

// leaderCrashes kills the leader's process: its container starts again, and somebody leads without having waited for the lease.
func (s *story) leaderCrashes(t *testing.T) {
	leader := s.leader(t)
	stop := s.guard(t, "while the leader crashes")
	start := time.Now()
	if err := syscall.Kill(process(t, leader), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() error {
		p := s.pod(t, leader.Name)
		if restarts(p) != restarts(leader)+1 || len(ready([]corev1.Pod{*p})) == 0 {
			return fmt.Errorf("%s was started %d times again", leader.Name, restarts(p)-restarts(leader))
		}
		return nil
	})
	say("leader crashed: its container was ready again after %s", since(start))
	eventually(t, 30*time.Second, func() error { return s.renewed(t, start) })
	say("leader crashed: %s leads after %s", who(leader, s.leader(t)), since(start))
	stop()
}

// who tells a leader from the one before it.
func who(before, now *corev1.Pod) string {
	if before.Name == now.Name {
		return "the same pod"
	}
	return "the other pod"
}

// renewed wants the lease renewed after an instant.
func (s *story) renewed(t *testing.T, after time.Time) error {
	t.Helper()
	l := s.lease(t)
	if l.Spec.RenewTime == nil || !l.Spec.RenewTime.After(after) {
		return fmt.Errorf("the lease was renewed at %s last", l.Spec.RenewTime)
	}
	return nil
}

func (s *story) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{}
	if err := s.admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// leaderDeleted deletes the leader's pod without grace: the other replica leads, and a new one comes.
func (s *story) leaderDeleted(t *testing.T) {
	leader := s.leader(t)
	stop := s.guard(t, "while the leader's pod is deleted")
	start := time.Now()
	s.kubectl(t, "delete", "pod", "-n", namespace, leader.Name, "--force", "--grace-period=0")
	eventually(t, 30*time.Second, func() error { return s.other(t, leader) })
	say("leader's pod deleted by force: another leads after %s", since(start))
	eventually(t, time.Minute, s.bothReady(t))
	stop()
}

// other wants the lease with another pod.
func (s *story) other(t *testing.T, leader *corev1.Pod) error {
	t.Helper()
	if holder := s.lease(t).Spec.HolderIdentity; holder == nil || *holder == "" || *holder == leader.Name {
		return fmt.Errorf("%s has the lease", leader.Name)
	}
	return nil
}

// leaderHangs stops the leader's process, as a machine does that hangs: the other replica leads when the lease has run out. What becomes of
// the one that hangs is another step's.
func (s *story) leaderHangs(t *testing.T) {
	s.hung = s.leader(t)
	start := time.Now()
	if err := syscall.Kill(process(t, s.hung), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stop := s.guard(t, "while the leader hangs")
	eventually(t, 30*time.Second, func() error { return s.other(t, s.hung) })
	say("leader hung: the other leads after %s", since(start))
	stop()
}

// leaderRestarted wants the probe of the leader that hung to have had it started again.
func (s *story) leaderRestarted(t *testing.T) {
	eventually(t, 2*time.Minute, func() error {
		p := s.pod(t, s.hung.Name)
		if restarts(p) == restarts(s.hung) {
			return fmt.Errorf("%s hangs, and was not started again", p.Name)
		}
		return nil
	})
	if told := s.events(t, namespace, "Unhealthy", s.hung.Name); !strings.Contains(strings.Join(told, "\n"), "Liveness probe failed") {
		t.Errorf("why it was started again: %v", told)
	}
	eventually(t, time.Minute, s.bothReady(t))
}

// drain empties a node, which keeps a replica of the operator ready, and is refused where a window says so; and then also the other, which
// the budget refuses.
func (s *story) drain(t *testing.T) {
	drain := func(node string, timeout time.Duration) (string, error) {
		return output(t.Context(), program("kubectl"), "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout", timeout.String())
	}
	pod := s.pods(t, s.evicts.name, "app", "web")[0]
	node := pod.Spec.NodeName
	other := map[string]string{"node-1": "node-2", "node-2": "node-1"}[node]
	stop, available := s.guard(t, "while nodes are drained"), always(t, "a replica ready while nodes are drained", s.oneReady)
	start := time.Now()
	out, err := drain(node, 10*time.Second)
	if err == nil || !strings.Contains(out, "Evict of Pod tierp/"+pod.Name) || !strings.Contains(out, s.evicts.window.Name) {
		t.Errorf("a drain against a window: %v\n%s", err, out)
	}
	s.evicts.open(t)
	eventually(t, 2*time.Minute, func() error { _, err := drain(node, time.Minute); return err })
	say("%s drained after %s", node, since(start))
	eventually(t, time.Minute, s.bothReady(t))
	for _, app := range []string{"fonster", "fonster-page"} {
		if _, nodes := names(s.pods(t, namespace, "app.kubernetes.io/name", app)); !slices.Equal(nodes, []string{other}) {
			t.Errorf("%s is on %v", app, nodes)
		}
	}
	if out, err := drain(other, 15*time.Second); err == nil || !strings.Contains(out, "would violate the pod's disruption budget") {
		t.Errorf("the last replicas: %v\n%s", err, out)
	}
	if err := s.oneReady(t.Context()); err != nil {
		t.Error(err)
	}
	s.kubectl(t, "uncordon", "node-1", "node-2")
	eventually(t, time.Minute, s.bothReady(t))
	available()
	stop()
	s.evicts.close(t)
}

// upgrade goes to the next version, with another value.
func (s *story) upgrade(t *testing.T) {
	stop, available := s.guard(t, "while it is upgraded"), always(t, "a replica ready while it is upgraded", s.oneReady)
	if _, err := s.helm(t, s.args(versions[1], "upgrade", "--set", "page.organisation=Provkommunen")...); err != nil {
		t.Fatal(err)
	}
	s.runs(t, versions[1])
	available()
	stop()
	page := "http://" + s.address(t, pages) + "/"
	eventually(t, 10*time.Second, func() error {
		body, err := get(t.Context(), page, "")
		if err == nil && !strings.Contains(body, "Provkommunen") {
			err = fmt.Errorf("the page is not Provkommunen's")
		}
		return err
	})
}
