package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// change rolls a workload out with other arguments, as a user does, and returns what kubectl printed.
func (o *town) change(t *testing.T, name string, args ...string) string {
	t.Helper()
	value, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	return o.kubectl(t, "patch", "deployment", "-n", o.name, name, "--type=json", "-p",
		fmt.Sprintf(`[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": %s}]`, value))
}

// mark is the label held of a workload.
func (o *town) mark(t *testing.T, name string) string {
	t.Helper()
	return o.state(t, o.name, name).Labels[v1alpha1.HeldLabel]
}

// rollOut changes two workloads of a closed namespace: their pods stay until the window opens. Then one is rolled out, without an answer
// missing from its Service; and the other, which never becomes ready, is told to have failed.
func (s *story) rollOut(t *testing.T) {
	ns := s.holds.name
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}}},
	}
	s.create(t, service)
	var mu sync.Mutex
	var answers []string // as they change
	url := "http://" + service.Spec.ClusterIP + "/"
	eventually(t, 10*time.Second, func() error { _, err := get(t.Context(), url, ""); return err })
	served := always(t, "the Service of what is rolled out", func(ctx context.Context) error {
		body, err := get(ctx, url, "")
		mu.Lock()
		defer mu.Unlock()
		if answer := strings.TrimSpace(body); err == nil && !slices.Contains(answers, answer) {
			answers = append(answers, answer)
		}
		return err
	})

	s.kubectl(t, "patch", "deployment", "-n", ns, "broken", "-p", `{"spec": {"progressDeadlineSeconds": 15}}`)
	before, _ := names(append(s.pods(t, ns, "app", "web"), s.pods(t, ns, "app", "broken")...))
	for _, name := range []string{"web", "broken"} {
		after := "-ready-after=2s"
		if name == "broken" {
			after = "-ready-after=1h"
		}
		if out := s.holds.change(t, name, "-version=2", after); !strings.Contains(out, "The rollout of Deployment heby/"+name+" is held until ") {
			t.Errorf("no warning that %s is held:\n%s", name, out)
		}
		if mark := s.holds.mark(t, name); mark != v1alpha1.HeldWaiting {
			t.Errorf("%s is marked %q", name, mark)
		}
	}
	time.Sleep(5 * time.Second) // longer than a pod takes
	if now, _ := names(append(s.pods(t, ns, "app", "web"), s.pods(t, ns, "app", "broken")...)); !slices.Equal(before, now) {
		t.Errorf("while held pods have changed from %v to %v", before, now)
	}

	start := time.Now()
	s.holds.open(t)
	eventually(t, time.Minute, func() error {
		if mark := s.holds.mark(t, "web"); mark != "" {
			return fmt.Errorf("web is marked %q", mark)
		}
		return s.rolledOut(t, ns, "web")
	})
	say("rollout released: done %s after the window has changed", since(start))
	eventually(t, time.Minute, func() error {
		if told := s.events(t, ns, v1alpha1.ReasonRolloutFailed, "broken"); len(told) == 0 {
			return errors.New("nothing says that broken failed")
		}
		return nil
	})
	say("rollout that never becomes ready: told to have failed after %s", since(start))
	for _, name := range []string{"web", "broken"} {
		if told := s.events(t, ns, v1alpha1.ReasonReleased, name); len(told) != 1 {
			t.Errorf("%s was released: %q", name, told)
		}
	}
	for name, want := range map[string]int{"web": 1, "broken": 0} {
		if told := s.events(t, ns, v1alpha1.ReasonRolledOut, name); len(told) != want {
			t.Errorf("%s was rolled out: %q", name, told)
		}
	}
	eventually(t, 10*time.Second, func() error {
		w := &v1alpha1.MaintenanceWindow{}
		if err := s.admin.Get(t.Context(), client.ObjectKeyFromObject(s.holds.window), w); err != nil {
			return err
		}
		if o := w.Status.CurrentOccurrence; o == nil || o.Released != 2 || o.Failed != 1 || w.Status.Held != 0 {
			return fmt.Errorf("the window says %+v, %d held; want 2 released, 1 failed, 0 held", o, w.Status.Held)
		}
		return nil
	})
	served()
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(answers, []string{"1", "2"}) {
		t.Errorf("the Service answered %q", answers)
	}
	s.holds.change(t, "broken", "-version=3", "-ready-after=2s")
	eventually(t, time.Minute, func() error { return s.rolledOut(t, ns, "broken") })
	s.holds.close(t)
}

// uninstall is refused by its hook, a Job, while something is held; and then leaves CRDs, windows and records alone, and every workload as it is.
func (s *story) uninstall(t *testing.T) {
	stop := s.guard(t, "while the removal is refused")
	s.holds.change(t, "web", "-version=4", "-ready-after=2s")
	if mark := s.holds.mark(t, "web"); mark != v1alpha1.HeldWaiting {
		t.Fatalf("web is marked %q", mark)
	}
	out, err := s.helm(t, "uninstall", release, "--wait", "--timeout", "2m")
	if err == nil || !strings.Contains(out, "Deployment heby/web (deployment.apps/web): held") {
		t.Errorf("an uninstall while something is held: %v\n%s", err, out)
	}
	if err := s.bothReady(t)(); err != nil {
		t.Error(err)
	}
	stop()
	s.holds.open(t)
	eventually(t, time.Minute, func() error {
		if mark := s.holds.mark(t, "web"); mark != "" {
			return fmt.Errorf("marked %q", mark)
		}
		return s.rolledOut(t, s.holds.name, "web")
	})
	s.holds.close(t)

	towns := []*town{s.closed, s.evicts, s.holds, s.free}
	before := s.everyPod(t, towns)
	if out, err := s.helm(t, "uninstall", release, "--wait", "--timeout", "3m"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if now := s.everyPod(t, towns); !slices.Equal(before, now) {
		t.Errorf("the pods of towns have changed from %v to %v", before, now)
	}
	for _, o := range towns {
		if err := o.refuses(t.Context()); err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
	}
	for _, kinds := range []string{
		"validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings", "gates -A", "clusterroles,clusterrolebindings",
		"all,networkpolicies,poddisruptionbudgets,roles,rolebindings,serviceaccounts,leases,secrets,jobs -n " + namespace,
	} {
		eventually(t, 30*time.Second, func() error { // the garbage collector takes some
			out := s.kubectl(t, append(append([]string{"get"}, strings.Fields(kinds)...), "-o", "name")...)
			if strings.Contains(out, "/fonster") || strings.Contains(out, "/gate") {
				return fmt.Errorf("left of %s:\n%s", kinds, out)
			}
			return nil
		})
	}
	if out := s.kubectl(t, "get", "namespaces", "-l", v1alpha1.GatedLabel, "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("labelled: %s", out)
	}
	if out := s.kubectl(t, "get", "crds", "-o", "name"); strings.Count(out, v1alpha1.GroupName) != 3 {
		t.Errorf("CRDs: %s", out)
	}
	if out := s.kubectl(t, "get", "mw", "-o", "name"); strings.Count(out, "maintenancewindow") != 3 {
		t.Errorf("windows: %s", out)
	}
	if out := s.kubectl(t, "get", "configmaps", "-n", namespace, "-o", "name"); !strings.Contains(out, "configmap/announced-"+s.closed.name+"\n") {
		t.Errorf("records: %s", out)
	}
}

// everyPod are the pods of towns.
func (s *story) everyPod(t *testing.T, towns []*town) (all []string) {
	t.Helper()
	for _, o := range towns {
		for _, app := range []string{"web", "broken"} {
			found, _ := names(s.pods(t, o.name, "app", app))
			all = append(all, found...)
		}
	}
	return all
}
