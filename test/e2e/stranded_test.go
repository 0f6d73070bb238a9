package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/test/cluster"
)

// heldIn makes a window, and one Deployment of two pods that waits for it.
func heldIn(t *testing.T, ns string, options ...windowOption) (*v1alpha1.MaintenanceWindow, holdable) {
	t.Helper()
	namespace(t, ns)
	d := deployment(t, ns, "web", 2)
	mw := window(t, ns, ns, nextYear(), append([]windowOption{hold}, options...)...)
	h := holdable{d, "Deployment", isParked}
	wantPassed(t, patchImage(t.Context(), shared.Admin, d, "app:2"))
	wantHeld(t, h)
	return mw, h
}

// stays checks that a rollout is held for a while.
func stays(t *testing.T, h holdable) {
	t.Helper()
	time.Sleep(2500 * time.Millisecond)
	wantHeld(t, h)
}

// TestNothingIsStranded: whatever becomes of a window, what it holds is released, or still waits for something that will.
func TestNothingIsStranded(t *testing.T) {
	for title, tc := range map[string]struct {
		act func(t *testing.T, mw *v1alpha1.MaintenanceWindow, h holdable)
		// stays: it is held on, and then undo lets it go.
		undo func(t *testing.T, mw *v1alpha1.MaintenanceWindow, h holdable)
	}{
		"the window is deleted": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			wantPassed(t, shared.Admin.Delete(t.Context(), mw))
		}},
		"the window is deleted while no operator runs": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, h holdable) {
			operator.Kill()
			wantPassed(t, shared.Admin.Delete(t.Context(), mw))
			time.Sleep(3 * time.Second)
			wantHeld(t, h)
			restartOperator(t)
		}},
		"the selector is changed": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"namespaceSelector":{"matchLabels":{"team":"nobody"}}}}`)))
		}},
		"the namespace is relabelled": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mw.Name}}
			wantPassed(t, as(t, "system:kube-controller-manager").Patch(t.Context(), ns, mergePatch(`{"metadata":{"labels":{"team":null}}}`)))
		}},
		"the enforcement becomes Warn": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"enforcement":"Warn"}}`)))
		}},
		"rollouts are governed no more": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"disruptions":["Delete"]}}`)))
		}},
		"an override stands for the workload": {act: func(t *testing.T, _ *v1alpha1.MaintenanceWindow, h holdable) {
			overrideNow(t, h.object)
		}},
		"an override stands for the namespace": {act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
			overrideNow(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: mw.Name}})
		}},
		"the enforcement becomes Deny": {
			act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"enforcement":"Deny"}}`)))
			},
			undo: openNow,
		},
		"a freeze is laid over it": {
			act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				freeze(t, mw.Name, mw.Name, nil)
				openNow(t, mw, holdable{})
			},
			undo: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				wantPassed(t, shared.Admin.Delete(t.Context(), &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: mw.Name}}))
			},
		},
		"the window is deleted under a freeze": {
			act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				freeze(t, mw.Name, mw.Name, nil)
				wantPassed(t, shared.Admin.Delete(t.Context(), mw))
			},
			undo: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				wantPassed(t, shared.Admin.Delete(t.Context(), &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: mw.Name}}))
			},
		},
		"its schedule cannot be read any more": {
			act: func(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
				wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"schedules":[{"rrule":"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30","startTime":"09:00","endTime":"20:00"}]}}`)))
			},
			undo: openNow,
		},
	} {
		t.Run(title, func(t *testing.T) {
			mw, h := heldIn(t, testName(t))
			tc.act(t, mw, h)
			if tc.undo != nil {
				stays(t, h)
				var named []client.Object // what must name it
				if !strings.Contains(title, "deleted") {
					named = append(named, mw)
				}
				if strings.Contains(title, "freeze") {
					named = append(named, &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: mw.Name}})
				}
				for _, o := range named {
					wantHolding(t, o, "Deployment "+mw.Name+"/web")
				}
				// Nobody resumes it past the operator meanwhile.
				if err := shared.Admin.Patch(t.Context(), h.object, mergePatch(`{"spec":{"paused":null}}`)); err != nil {
					t.Fatal(err)
				}
				wantHeld(t, h)
				tc.undo(t, mw, h)
			}
			wantPlain(t, h, "app:2")
			if !strings.Contains(title, "override") { // which stands on
				wantNothingOfOurs(t, mw.Name)
			}
		})
	}
}

// wantHolding waits until the condition Holding of a window or freeze names a workload.
func wantHolding(t *testing.T, o client.Object, workload string) {
	t.Helper()
	eventually(t, 5*time.Second, func() error {
		get(t, o)
		var conditions []metav1.Condition
		switch o := o.(type) {
		case *v1alpha1.MaintenanceWindow:
			conditions = o.Status.Conditions
		case *v1alpha1.ChangeFreeze:
			conditions = o.Status.Conditions
		}
		c := meta.FindStatusCondition(conditions, v1alpha1.ConditionHolding)
		if c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, workload) {
			return fmt.Errorf("condition Holding of %T %+v", o, c)
		}
		return nil
	})
}

func openNow(t *testing.T, mw *v1alpha1.MaintenanceWindow, _ holdable) {
	t.Helper()
	eventually(t, 5*time.Second, func() error {
		get(t, mw)
		mw.Spec.Schedules = []v1alpha1.Schedule{always()}
		return shared.Admin.Update(t.Context(), mw)
	})
}

// overrideNow lets an override stand.
func overrideNow(t *testing.T, o client.Object) {
	t.Helper()
	wantPassed(t, annotateWith(t.Context(), shared.Admin, o, override.Reason, "INC-1"))
}

// undeploy does what make undeploy does.
func undeploy(t *testing.T) (string, error) {
	t.Helper()
	command := exec.Command("make", "undeploy")
	command.Dir = cluster.Root()
	command.Env = append(command.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	out, err := command.CombinedOutput()
	return string(out), err
}

// deployed runs the operator as a Deployment, of which kwok says that its pods run; the process that stands for them is killed
// when they end.
func deployed(t *testing.T) {
	t.Helper()
	if out, err := shared.Kubectl("apply", "--server-side", "-k", cluster.Root()+"/config/manager"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	manager := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: policy.DefaultNamespace, Name: "fonster-controller-manager"}}
	eventually(t, 30*time.Second, func() error {
		get(t, manager)
		if manager.Status.ReadyReplicas != 2 {
			return fmt.Errorf("%+v", manager.Status)
		}
		return nil
	})
	stop, stopped := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() {
		close(stop)
		<-stopped
		if err := shared.Install(); err != nil { // what undeploying has taken away, as make deploy does
			t.Error(err)
		}
		restartOperator(t)
		_, _ = shared.Kubectl("delete", "--ignore-not-found", "-k", cluster.Root()+"/config/manager")
	})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			d := manager.DeepCopy()
			if err := shared.Admin.Get(context.Background(), client.ObjectKeyFromObject(d), d); apierrors.IsNotFound(err) || err == nil && *d.Spec.Replicas == 0 {
				operator.Kill()
				return
			}
		}
	}()
}

// TestUndeploy: make undeploy leaves nothing behind that only the operator would let go, and nothing that holds.
func TestUndeploy(t *testing.T) {
	t.Run("refused while something is held", func(t *testing.T) {
		mw, h := heldIn(t, testName(t))
		deployed(t)
		out, err := undeploy(t)
		if err == nil || !strings.Contains(out, "deployment.apps/web") || !strings.Contains(out, mw.Name) {
			t.Errorf("%v\n%s", err, out)
		}
		wantHeld(t, h) // and the operator is still there
		wantPassed(t, shared.Admin.Delete(t.Context(), mw))
		wantPlain(t, h, "app:2")
	})
	t.Run("waits for what has been let go", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		h := holdable{slowDeployment(t, ns, "slow"), "Deployment", isParked}
		mw := window(t, ns, ns, nextYear(), hold)
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
		deployed(t)
		openNow(t, mw, h)
		wantMark(t, h, v1alpha1.HeldReleasing)
		if out, err := undeploy(t); err != nil || !strings.Contains(out, "waiting for") {
			t.Errorf("%v\n%s", err, out)
		}
		get(t, h.object)
		if err := rolledOut(h.object, "app:2"); err != nil {
			t.Error(err)
		}
		wantNothingOfOurs(t, ns)
	})
	t.Run("afterwards nothing is held", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		all := holdables(t, ns)
		window(t, ns, ns, nextYear(), hold)
		strict := ns + "-deny"
		namespace(t, strict)
		refusing := deployment(t, strict, "web", 1)
		window(t, strict, strict, nextYear())
		frozen := ns + "-frozen"
		namespace(t, frozen)
		stays := deployment(t, frozen, "web", 1)
		window(t, frozen, frozen, nextYear(), hold)
		freeze(t, frozen, frozen, nil)
		deployed(t)
		if out, err := undeploy(t); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, h := range all {
			wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
			wantPlain(t, h, "app:2")
		}
		wantNothingOfOurs(t, ns)
		wantRefused(t, setImage(t.Context(), shared.Admin, refusing, "app:2"), "Rollout of Deployment")
		wantRefused(t, setImage(t.Context(), shared.Admin, stays, "app:2"), "change freeze")
	})
	t.Run("something is held in between", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		h := holdable{deployment(t, ns, "web", 1), "Deployment", isParked}
		window(t, ns, ns, nextYear(), hold)
		deployed(t)
		changed := make(chan error, 1)
		go func() {
			<-operator.Ended()
			changed <- patchImage(context.Background(), shared.Admin, h.object, "app:2")
		}()
		out, err := undeploy(t)
		wantPassed(t, <-changed)
		if err == nil || !strings.Contains(out, ns+"/web") {
			t.Errorf("%v\n%s", err, out)
		}
		manager := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: policy.DefaultNamespace, Name: "fonster-controller-manager"}}
		if get(t, manager); *manager.Spec.Replicas != 2 {
			t.Errorf("the operator does not run again: %d replicas", *manager.Spec.Replicas)
		}
		restartOperator(t)
		wantHeld(t, h)
	})
}

// TestUserPause: a pause of the user's is never lifted, whether it was there before the window or came while the rollout was held.
func TestUserPause(t *testing.T) {
	ns := testName(t)
	mw, h := heldIn(t, ns)
	own := deployment(t, ns, "own", 1)
	wantPassed(t, shared.Admin.Patch(t.Context(), own, mergePatch(`{"spec":{"paused":true}}`)))
	wantPassed(t, patchImage(t.Context(), shared.Admin, own, "app:2"))
	if own.Labels[v1alpha1.HeldLabel] != "" {
		t.Errorf("a user's pause was taken for a hold: %v", own.Labels)
	}
	if out, err := shared.KubectlIn(h.manifest("app:2", `{"paused":true}`), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eventually(t, 10*time.Second, func() error {
		get(t, h.object)
		if h.object.GetLabels()[v1alpha1.HeldLabel] != "" {
			return fmt.Errorf("still held: %v", h.object.GetLabels())
		}
		return nil
	})
	openNow(t, mw, h)
	time.Sleep(3 * time.Second)
	for _, o := range []client.Object{own, h.object} {
		get(t, o)
		if !o.(*appsv1.Deployment).Spec.Paused || o.GetLabels()[v1alpha1.HeldLabel] != "" {
			t.Errorf("%s was resumed: %v", o.GetName(), o.GetLabels())
		}
	}
}

// TestStrictestCounts: what the gate of one target would hold, another target's refuses, closed for Deny or frozen.
func TestStrictestCounts(t *testing.T) {
	base := testName(t)
	namespace(t, base, "site", base)
	d := deployment(t, base, "web", 1)
	window(t, base+"-hold", base, nextYear(), hold)
	dry := client.NewDryRunClient(shared.Admin)
	wantPassed(t, setImage(t.Context(), dry, d, "app:2"))
	site := namespaces(metav1.LabelSelectorRequirement{Key: "site", Operator: metav1.LabelSelectorOpIn, Values: []string{base}})
	mw := window(t, base+"-deny", "", nextYear(), site)
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "Rollout of Deployment "+base+"/web", base+"-deny")
	wantPassed(t, shared.Admin.Delete(t.Context(), mw))
	eventually(t, 5*time.Second, func() error { return setImage(t.Context(), dry, d, "app:2") })
	freeze(t, base+"-freeze", base, nil, func(cf *v1alpha1.ChangeFreeze) {
		cf.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"site": base}}
	})
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "change freeze "+base+"-freeze")
}

// TestHoldRefusesWhatCannotBeHeld: deletes, other nodes of a DaemonSet, single pods.
func TestHoldRefusesWhatCannotBeHeld(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)
	window(t, ns, ns, nextYear(), hold)
	for _, h := range all {
		wantRefused(t, shared.Admin.Delete(t.Context(), h.object), "Delete of "+h.kind)
	}
	ds := all[2].object.(*appsv1.DaemonSet)
	get(t, ds)
	nowhere(ds)
	wantRefused(t, shared.Admin.Update(t.Context(), ds), "Rollout of DaemonSet")
	s := all[1].object.(*appsv1.StatefulSet)
	get(t, s)
	s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
	wantRefused(t, shared.Admin.Update(t.Context(), s), "Rollout of StatefulSet")
	var pods corev1.PodList
	wantPassed(t, shared.Admin.List(t.Context(), &pods, client.InNamespace(ns)))
	wantRefused(t, shared.Admin.Delete(t.Context(), &pods.Items[0]), "Delete of Pod")
}

// TestTrainRules: nothing more after a failure (Stop), held again at the end (Pause), closed when done (WhenDone); and closing by
// hand.
func TestTrainRules(t *testing.T) {
	endless := v1alpha1.Schedule{RRule: new("FREQ=DAILY"), StartTime: new("00:00"), EndTime: new("24:00")}
	for title, schedule := range map[string]v1alpha1.Schedule{"a failure stops the train": always(), "also where the occurrence has no end": endless} {
		t.Run(title, func(t *testing.T) {
			ns := testName(t)
			namespace(t, ns)
			broken := deployment(t, ns, "broken", 1, func(d *appsv1.Deployment) {
				d.Spec.ProgressDeadlineSeconds, d.Spec.MinReadySeconds = new(int32(2)), 1
				d.Annotations = map[string]string{v1alpha1.ReleasePriorityAnnotation: "9"}
			})
			fine := deployment(t, ns, "fine", 1)
			mw := window(t, ns, ns, nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
				mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: 1, OnFailure: "Stop"}
			})
			wantPassed(t, shared.Admin.Patch(t.Context(), broken, client.RawPatch("application/strategic-merge-patch+json",
				[]byte(`{"spec":{"template":{"spec":{"nodeSelector":{"no-such":"node"},"containers":[{"name":"main","image":"app:2"}]}}}}`))))
			wantPassed(t, patchImage(t.Context(), shared.Admin, fine, "app:2"))
			eventually(t, 5*time.Second, func() error {
				get(t, mw)
				mw.Spec.Schedules = []v1alpha1.Schedule{schedule}
				return shared.Admin.Update(t.Context(), mw)
			})
			wantEvent(t, "broken", v1alpha1.ReasonRolloutFailed)
			wantEvent(t, ns, v1alpha1.ReasonReleasesStopped)
			stays(t, holdable{fine, "Deployment", isParked})
			get(t, mw)
			if c := mw.Status.CurrentOccurrence; c == nil || c.StoppedBy != "Deployment "+ns+"/broken" || c.Failed != 1 {
				t.Errorf("current occurrence %+v", c)
			}
			// Told to continue, it goes on.
			wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"release":{"onFailure":"Continue"}}}`)))
			wantPlain(t, holdable{fine, "Deployment", isParked}, "app:2")
		})
	}
	t.Run("what is not done is held again", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		slow := slowDeployment(t, ns, "slow")
		mw := window(t, ns, ns, nextYear(), hold, func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: 1, OnClose: "Pause"}
		})
		wantPassed(t, patchImage(t.Context(), shared.Admin, slow, "app:2"))
		h := holdable{slow, "Deployment", isParked}
		wantHeld(t, h)
		since := slow.Labels[v1alpha1.HeldSinceLabel]
		openNow(t, mw, h)
		eventually(t, 10*time.Second, func() error {
			get(t, slow)
			if slow.Labels[v1alpha1.HeldLabel] != v1alpha1.HeldReleasing || slow.Status.UpdatedReplicas == 0 {
				return fmt.Errorf("not begun: %v %+v", slow.Labels, slow.Status)
			}
			return nil
		})
		wantPassed(t, shared.Admin.Patch(t.Context(), mw, mergePatch(`{"spec":{"schedules":[{"dates":["%d-05-13"],"startTime":"09:00","endTime":"20:00"}]}}`, time.Now().Year()+1)))
		eventually(t, 5*time.Second, func() error {
			get(t, slow)
			if slow.Labels[v1alpha1.HeldLabel] != v1alpha1.HeldWaiting || !slow.Spec.Paused {
				return fmt.Errorf("not held again: %v", slow.Labels)
			}
			return nil
		})
		if slow.Labels[v1alpha1.HeldSinceLabel] != since {
			t.Errorf("its place is lost: %s, then %s", since, slow.Labels[v1alpha1.HeldSinceLabel])
		}
		openNow(t, mw, h)
		wantPlain(t, h, "app:2")
	})
	t.Run("closed when done", func(t *testing.T) {
		mw, h := heldIn(t, testName(t), func(mw *v1alpha1.MaintenanceWindow) {
			mw.Spec.Release = &v1alpha1.ReleasePolicy{EarlyClose: "WhenDone"}
		})
		openNow(t, mw, h)
		wantPlain(t, h, "app:2")
		wantClosedEarly(t, mw, 1)
		wantEvent(t, mw.Name, v1alpha1.ReasonClosedEarly)
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:3"))
		stays(t, h)
		restartOperator(t)
		stays(t, h)
	})
	t.Run("closed by hand", func(t *testing.T) {
		ns := testName(t)
		namespace(t, ns)
		d := deployment(t, ns, "web", 1)
		mw := window(t, ns, ns, always(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Audiences = []string{ns} })
		dry := client.NewDryRunClient(shared.Admin)
		wantPassed(t, setImage(t.Context(), dry, d, "app:2"))
		wantAnnounced := func(state string) {
			t.Helper()
			eventually(t, 10*time.Second, func() error {
				if got := states(t, "/"+ns+"/windows.json", ns); len(got) != 1 || got[day(time.Now().AddDate(0, 0, -1))+"T00:00:00Z"] != state {
					return fmt.Errorf("the page says %v, want %s", got, state)
				}
				return nil
			})
		}
		wantAnnounced("open")
		out := plugin(t, "close", ns)
		if !strings.Contains(out, "window "+ns+" is closed; it was planned until ") {
			t.Errorf("kubectl window close: %s", out)
		}
		eventually(t, 10*time.Second, func() error {
			if err := setImage(t.Context(), dry, d, "app:2"); err == nil {
				return fmt.Errorf("it passes")
			}
			return nil
		})
		wantAnnounced("ended-early")
		wantClosedEarly(t, mw, 0)
		restartOperator(t)
		time.Sleep(time.Second)
		wantAnnounced("ended-early")
		wantRefused(t, setImage(t.Context(), dry, d, "app:2"), "Rollout of Deployment")
	})
}

func wantClosedEarly(t *testing.T, mw *v1alpha1.MaintenanceWindow, released int32) {
	t.Helper()
	eventually(t, 10*time.Second, func() error {
		get(t, mw)
		l := mw.Status.LastOccurrence
		if l == nil || !l.ClosedEarly || l.Released != released || l.UsedSeconds <= 0 || l.UsedSeconds >= int64(l.End.Sub(l.Start.Time).Seconds()) || meta.IsStatusConditionTrue(mw.Status.Conditions, v1alpha1.ConditionOpen) {
			return fmt.Errorf("last %+v, conditions %+v", l, mw.Status.Conditions)
		}
		return nil
	})
}

// plugin runs kubectl window, as the administrator.
func plugin(t *testing.T, args ...string) string {
	t.Helper()
	folder, err := cluster.Build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(folder+"kubectl-window", args...)
	command.Env = append(command.Environ(), "KUBECONFIG="+shared.Kubeconfig)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl window %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestHeldCommand: kubectl window held lists what waits, and what kubectl says of a held object can be acted on.
func TestHeldCommand(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)
	window(t, ns, ns, nextYear(), hold)
	for i, h := range all {
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
		if i < 2 {
			time.Sleep(1100 * time.Millisecond)
		}
	}
	out := plugin(t, "held", ns, "-A")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "OBJECT") {
		t.Fatalf("kubectl window held:\n%s", out)
	}
	for i, h := range all {
		columns := regexp.MustCompile(` {2,}`).Split(lines[i+1], -1) // object, window, since, priority, position, opens
		if len(columns) != 6 || columns[0] != h.kind+" "+ns+"/"+h.object.GetName() || columns[1] != ns || columns[4] != fmt.Sprint(i+1) ||
			!strings.Contains(columns[5], "13 May") || !strings.Contains(columns[5], "09:00 UTC") {
			t.Errorf("line %d: %s", i+1, lines[i+1])
		}
	}
	kubectl := func(args ...string) string {
		out, _ := shared.Kubectl(append([]string{"-n", ns}, args...)...)
		return out
	}
	for title, tc := range map[string]struct{ out, want string }{
		"rollout status of a Deployment":  {kubectl("rollout", "status", "deployment/web", "--timeout=1s"), "Waiting for deployment"},
		"rollout status of a StatefulSet": {kubectl("rollout", "status", "statefulset/db", "--timeout=1s"), "partitioned roll out complete: 0 new pods have been updated"},
		"rollout status of a DaemonSet":   {kubectl("rollout", "status", "daemonset/agent", "--timeout=1s"), "only available for RollingUpdate strategy type"},
		"rollout undo of a Deployment":    {kubectl("rollout", "undo", "deployment/web"), "no rollout history found"},
		"rollout resume":                  {kubectl("rollout", "resume", "deployment/web"), "held until"},
	} {
		if !strings.Contains(tc.out, tc.want) {
			t.Errorf("%s does not say %q:\n%s", title, tc.want, tc.out)
		}
	}
	diff, _ := shared.KubectlIn(all[0].manifest("app:3", ""), "diff", "-f", "-")
	if !strings.Contains(diff, "+") || !strings.Contains(diff, "app:3") {
		t.Errorf("kubectl diff:\n%s", diff)
	}
	fmt.Printf("kubectl on held objects:\n%s%s%s%s%s\n", kubectl("rollout", "status", "deployment/web", "--timeout=1s"), kubectl("rollout", "undo", "statefulset/db"),
		kubectl("rollout", "undo", "daemonset/agent"), kubectl("rollout", "resume", "deployment/web"), diff)
	wantHeld(t, all[0])
	for _, h := range all[1:] { // undone: what runs is the template again
		wantPlain(t, h, "app:1")
	}
}

// TestHoldPolicyMissing: with one of the policies gone that it takes, the window says so, and refuses; what is held already is
// released all the same. With the policy back, it holds again.
func TestHoldPolicyMissing(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	all := holdables(t, ns)
	other := deployment(t, ns, "other", 1)
	mw := window(t, ns, ns, nextYear(), hold)
	for _, h := range all {
		wantPassed(t, patchImage(t.Context(), shared.Admin, h.object, "app:2"))
		wantHeld(t, h)
	}
	install := func() {
		if out, err := shared.Kubectl("apply", "--server-side", "-k", cluster.Root()+"/config/mutating"); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	t.Cleanup(install)
	wantSupported := func(status metav1.ConditionStatus, text string) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			get(t, mw)
			c := meta.FindStatusCondition(mw.Status.Conditions, v1alpha1.ConditionHoldSupported)
			if c == nil || c.Status != status || !strings.Contains(c.Message, text) {
				return fmt.Errorf("condition HoldSupported %+v", c)
			}
			return nil
		})
		time.Sleep(2 * time.Second) // the API server reads policies and bindings each second
	}
	if out, err := shared.Kubectl("delete", "mutatingadmissionpolicy", "fonster-held-keep"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantSupported(metav1.ConditionFalse, "MutatingAdmissionPolicy fonster-held-keep")
	wantRefused(t, setImage(t.Context(), shared.Admin, other, "app:2"), "Rollout of Deployment "+ns+"/other")
	openNow(t, mw, holdable{})
	for _, h := range all {
		wantPlain(t, h, "app:2")
	}
	if p := *all[1].object.(*appsv1.StatefulSet).Spec.UpdateStrategy.RollingUpdate.Partition; p != 1 {
		t.Errorf("partition %d, want its user's 1", p)
	}
	install()
	wantSupported(metav1.ConditionTrue, "")
	get(t, mw)
	mw.Spec.Schedules = []v1alpha1.Schedule{nextYear()}
	wantPassed(t, shared.Admin.Update(t.Context(), mw))
	time.Sleep(time.Second)
	wantPassed(t, setImage(t.Context(), shared.Admin, other, "app:2"))
	wantHeld(t, holdable{other, "Deployment", isParked})
}
