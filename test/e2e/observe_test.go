package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// broken are alerts of workloads, which fire all the time: in a namespace whose window opens, in one whose does not, and in none.
const broken = `
groups:
- name: workloads
  rules:
  - {alert: Broken, expr: 'vector(1)', labels: {cluster: e2e, namespace: see-rolls}}
  - {alert: Broken, expr: 'vector(1)', labels: {cluster: e2e, namespace: see-shut}}
  - {alert: Broken, expr: 'vector(1)', labels: {cluster: other, namespace: see-rolls}}
  - {alert: Loose, expr: 'vector(1)', labels: {cluster: e2e}}
  - {alert: Vital, expr: 'vector(1)', labels: {cluster: e2e, namespace: see-rolls, quiet: never}}
`

// unseen are the rules that need what no test can do to a real cluster: two clocks. promtool tests them.
var unseen = map[string]bool{"FonsterClockSkew": true}

// TestObserve: a real Prometheus and Alertmanager watch a window that opens late, holds, releases, stops, refuses and closes, and an
// operator that is killed. Every expression of the dashboard and the rules has an answer at the moment that it should; an open
// window mutes the alerts of its namespace and no others.
func TestObserve(t *testing.T) {
	t.Cleanup(func() {
		operator.Kill()
		var err error
		if operator, err = shared.StartOperator(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := &sight{t: t, watchers: startWatchers(t, broken), seen: map[string]time.Time{}}
	s.look("e2e")
	started := time.Now()
	work := newSeeWork(t)

	t.Log("closed: work is held and refused")
	work.tryAll()
	s.want("closed", "FonsterWindowNotReady", "FonsterWindowNeverOpens", "FonsterHeldTooLong", "FonsterOverrideActive", "FonsterManyRefusals",
		"Rollouts held A", "Held, and being released A", "Longest held A", "Next openings A", "Next openings B", "Refusals by rule A", "Overrides standing A", "Overrides in force A", "Overrides A",
		"Freezes in force A", "Replicas up A")
	s.wantNot("closed", "FonsterReleasesStopped", "FonsterNamespaceInWindow", "FonsterDown", "FonsterGateLate", "FonsterClockSkew", "Open now, closes A", "Windows open A", "Namespaces in a window A", "Gates late A")
	s.wantMuted("closed", false)

	t.Log("open, and late: the operator may not write gates over the edge")
	work.open()
	mayWrite := forbid(t, "see-late", "", v1alpha1.GroupVersion.Group, "gates", admissionv1.Validation{Expression: "false"})
	time.Sleep(time.Until(work.opens))
	s.want("late", "Gates late A", "FonsterGateLate", "Held, and being released B")
	mayWrite()
	s.want("open", "FonsterReleasesStopped", "FonsterNamespaceInWindow", "Windows A", "Windows open A", "Namespaces in a window A", "Open now, closes A", "Open now, closes B",
		"Releases by outcome A", "Edge to gate, mean A")
	s.wantMuted("open", true)

	t.Log("closed again, after the tail")
	time.Sleep(time.Until(work.closes))
	s.want("closed again", "Planned and used A", "Planned and used B", "cluster_window:fonster_window_used:ratio_90d")
	s.wantMuted("closed again", false)
	s.wantNot("closed again", "Open now, closes A", "Windows open A", "Namespaces in a window A", "FonsterNamespaceInWindow")
	s.checkMetrics()
	s.picture(started, work.closes.Add(-3*time.Second))

	t.Log("a policy is gone")
	wantPassed(t, shared.Admin.Delete(t.Context(), &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "fonster-status"}}))
	s.want("a policy is gone", "FonsterNotEnforced")
	wantPassed(t, shared.Install())
	policiesRead(t)

	t.Log("the operator is killed")
	operator.Kill()
	s.want("killed", "FonsterDown")
	s.wantNot("killed", "Replicas up A")
	eventually(t, 15*time.Second, func() error {
		states, err := s.states(t.Context(), "FonsterDown", "cluster")
		if err != nil || states["e2e"] != "active" {
			return fmt.Errorf("FonsterDown in Alertmanager: %v %w", states, err)
		}
		return nil
	})
	s.wantEverything()
}

// seeWork is what happens in the cluster meanwhile.
type seeWork struct {
	t                      *testing.T
	opens, closes          time.Time // from open on
	opening                []*v1alpha1.MaintenanceWindow
	rolls, bad, after, far *appsv1.Deployment
	refused, overridden    *appsv1.Deployment
}

// newSeeWork makes windows that are to open, will open much later, and never, with workloads.
func newSeeWork(t *testing.T) *seeWork {
	w := &seeWork{t: t}
	for _, name := range []string{"see-rolls", "see-stops", "see-shut", "see-far", "see-frozen"} {
		namespace(t, name)
	}
	w.rolls, w.after = deployment(t, "see-rolls", "web", 2), deployment(t, "see-stops", "after", 1)
	w.bad = deployment(t, "see-stops", "bad", 1, func(d *appsv1.Deployment) {
		d.Spec.ProgressDeadlineSeconds = new(int32(3))
		d.Annotations = map[string]string{v1alpha1.ReleasePriorityAnnotation: "10"}
	})
	w.far, w.refused, w.overridden = deployment(t, "see-far", "web", 1), deployment(t, "see-shut", "web", 1), deployment(t, "see-shut", "urgent", 1)

	train := func(mw *v1alpha1.MaintenanceWindow) {
		hold(mw)
		mw.Spec.Release = &v1alpha1.ReleasePolicy{MaxConcurrent: 1, OnFailure: "Stop"}
	}
	w.opening = append(w.opening, w.window("see-rolls", nextYear(), train), w.window("see-stops", nextYear(), train))
	w.window("see-past", v1alpha1.Schedule{Dates: []string{"2021-05-13"}, StartTime: new("09:00"), EndTime: new("20:00")})
	w.window("see-broken", nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Cutoff = &metav1.Duration{Duration: 12 * time.Hour} })
	w.window("see-far", nextYear(), hold)
	mw := w.window("see-shut", nextYear())
	freeze(t, "see-frozen", "see-frozen", nil)
	inForce(t, mw)
	return w
}

// open lets the windows open in some seconds, however long all before has taken.
func (w *seeWork) open() {
	w.t.Helper()
	w.opens = time.Now().Add(15 * time.Second).Truncate(time.Second)
	w.closes = w.opens.Add(45 * time.Second)
	if day(w.opens) != day(w.closes) {
		w.t.Skip("midnight is near")
	}
	for _, mw := range w.opening {
		before := mw.DeepCopy()
		mw.Spec.Schedules = []v1alpha1.Schedule{between(w.opens, w.closes)}
		wantPassed(w.t, shared.Admin.Patch(w.t.Context(), mw, client.MergeFrom(before)))
	}
}

// window creates a window and does not wait.
func (w *seeWork) window(name string, schedule v1alpha1.Schedule, options ...windowOption) *v1alpha1.MaintenanceWindow {
	mw := &v1alpha1.MaintenanceWindow{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.MaintenanceWindowSpec{
			TimeZone: "UTC", Schedules: []v1alpha1.Schedule{schedule},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": name}},
		},
	}
	for _, option := range options {
		option(mw)
	}
	create(w.t, mw)
	return mw
}

// tryAll changes everything: two trains, one of which will fail, wait; what is refused tries again and again; one is overridden.
func (w *seeWork) tryAll() {
	ctx := w.t.Context()
	wantPassed(w.t, setImage(ctx, shared.Admin, w.rolls, "app:2"))
	wantPassed(w.t, setImage(ctx, shared.Admin, w.far, "app:2"))
	wantPassed(w.t, setImage(ctx, shared.Admin, w.after, "app:2"))
	nowhere := `{"spec":{"template":{"spec":{"nodeSelector":{"there-is":"none"}}}}}`
	wantPassed(w.t, shared.Admin.Patch(ctx, w.bad, client.RawPatch("application/merge-patch+json", []byte(nowhere))))
	wantRefused(w.t, setImage(ctx, shared.Admin, w.refused, "app:2"), "see-shut")
	wantPassed(w.t, annotateWith(ctx, shared.Admin, w.overridden, override.Reason, "INC-1"))
	time.Sleep(2 * time.Second) // the first refusal has been scraped: what follows is an increase
	for range 60 {
		wantRefused(w.t, setImage(ctx, shared.Admin, w.refused, "app:2"), "see-shut")
		time.Sleep(50 * time.Millisecond)
	}
}

// sight is what Prometheus has answered so far.
type sight struct {
	*watchers
	t    *testing.T
	mu   sync.Mutex
	all  []question
	seen map[string]time.Time
}

// look asks every question each second for as long as the test runs.
func (s *sight) look(forCluster string) {
	s.all = questions(s.t, forCluster)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	s.t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			for _, q := range s.all {
				if answer, err := s.query(ctx, q.expr, time.Now()); err == nil && q.answered(answer) {
					s.mu.Lock()
					s.seen[q.name] = time.Now()
					s.mu.Unlock()
				}
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}

// want waits until each of the questions has an answer from now on.
func (s *sight) want(when string, names ...string) {
	s.t.Helper()
	from := time.Now()
	for _, name := range names {
		if !slices.ContainsFunc(s.all, func(q question) bool { return q.name == name }) {
			s.t.Fatalf("there is no %q", name)
		}
		eventually(s.t, 20*time.Second, func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.seen[name].Before(from) {
				return fmt.Errorf("%s: %q has no answer", when, name)
			}
			return nil
		})
	}
}

// wantNot checks that none of the questions has an answer now.
func (s *sight) wantNot(when string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		found := false
		for _, q := range s.all {
			if q.name != name {
				continue
			}
			found = true
			expr := strings.ReplaceAll(q.expr, "fonster_namespace_open[10m]", "fonster_namespace_open[10s]")
			if answer, err := s.query(s.t.Context(), expr, time.Now()); err != nil || q.answered(answer) {
				s.t.Errorf("%s: %q has an answer: %v %v", when, name, answer, err)
			}
		}
		if !found {
			s.t.Errorf("there is no %q", name)
		}
	}
}

// wantMuted waits until the alert of the namespace whose window opens is muted, or not, and checks that no other ever is.
func (s *sight) wantMuted(when string, want bool) {
	s.t.Helper()
	eventually(s.t, 20*time.Second, func() error {
		var alerts []alert
		if err := getJSON(s.t.Context(), "http://"+s.alertmanager+"/api/v2/alerts", &alerts); err != nil {
			return err
		}
		heard := 0
		for _, a := range alerts {
			l, muted := a.Labels, a.Status.State == "suppressed"
			if l["alertname"] == "Broken" && l["namespace"] == "see-rolls" && l["cluster"] == "e2e" {
				if heard++; muted != want {
					return fmt.Errorf("%s: the alert of the namespace is %s", when, a.Status.State)
				}
				continue
			}
			if l["alertname"] == "Broken" || l["alertname"] == "Loose" || l["alertname"] == "Vital" {
				heard++
			}
			if muted {
				s.t.Errorf("%s: muted: %v", when, l)
			}
		}
		if heard != 5 {
			return fmt.Errorf("%s: %d of 5 alerts of workloads have come", when, heard)
		}
		return nil
	})
}

// wantEverything checks that no question is without an answer, and that each has none for another cluster.
func (s *sight) wantEverything() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.all {
		if _, seen := s.seen[q.name]; seen == unseen[q.name] {
			s.t.Errorf("%q: answered: %t: %s", q.name, seen, q.expr)
		}
	}
	s.t.Logf("%d of %d expressions had an answer", len(s.seen), len(s.all))
	for _, q := range questions(s.t, "elsewhere") {
		if !strings.Contains(q.expr, "elsewhere") {
			continue
		}
		if answer, err := s.query(s.t.Context(), q.expr, time.Now().Add(-20*time.Second)); err != nil || q.answered(answer) {
			s.t.Errorf("%q has an answer for another cluster: %v %v", q.name, answer, err)
		}
	}
}

// checkMetrics: promtool finds nothing to say of what is served.
func (s *sight) checkMetrics() {
	s.t.Helper()
	_, text, err := operator.Metrics(s.t.Context(), s.token)
	if err != nil {
		s.t.Fatal(err)
	}
	command := exec.Command("promtool", "check", "metrics")
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		s.t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
