package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
)

// townGate is closed for what is not of the web, and held for the web, until Saturday; a freeze is to come.
func townGate() *v1alpha1.Gate {
	at := func(text string) *metav1.Time {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			panic(err)
		}
		return &metav1.Time{Time: t}
	}
	g := gateIn("heby", v1alpha1.GateClosed, "opens Sat 28 Nov 2026 09:00 CET", "all")
	g.Labels = map[string]string{v1alpha1.HoldsLabel: "true"}
	overrides := func(window string) *v1alpha1.GateOverrides {
		return &v1alpha1.GateOverrides{MaxDuration: metav1.Duration{Duration: time.Hour}, Windows: []string{window}, ReasonPatterns: []string{"^INC-"}}
	}
	g.Spec.Targets = []v1alpha1.GateTarget{
		{Disruptions: []v1alpha1.Disruption{v1alpha1.Delete}, Enforcement: v1alpha1.Deny, Windows: []string{"all"}, Overrides: overrides("all"),
			OpensAt: at("2026-11-28T08:00:00Z"), Opens: "Sat 28 Nov 2026 09:00 CET", OpensWindow: "all"},
		{Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout}, Enforcement: v1alpha1.Hold, Windows: []string{"web"}, Overrides: overrides("web"),
			ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"web"}}}},
			OpensAt:        at("2026-11-28T08:00:00Z"), Opens: "Sat 28 Nov 2026 09:00 CET", OpensWindow: "web"},
	}
	g.Spec.Freezes = []v1alpha1.GateFreeze{{Name: "jul", Reason: "Jul", Enforcement: v1alpha1.Deny, StartsAt: at("2026-12-24T00:00:00Z"),
		Disruptions: []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Evict}}}
	return g
}

func townWeb(name, tier string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "heby", Name: name, Labels: map[string]string{"tier": tier}}}
}

// asked runs the plugin against a cluster that forbids some kinds.
func asked(t *testing.T, objects []client.Object, forbids []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	r := &root{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, now: func() time.Time { return now }, zone: time.UTC}
	r.connect = func() (client.Client, error) { return answering(t, objects, forbids, interceptor.Funcs{}), nil }
	code = r.run(t.Context(), args)
	return code, out.String(), errs.String()
}

// answering is a client that says who asks, that nobody has any right to override, and that some kinds may not be read.
func answering(t *testing.T, objects []client.Object, forbids []string, funcs interceptor.Funcs) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(v1alpha1.AddToScheme(scheme), appsv1.AddToScheme(scheme), corev1.AddToScheme(scheme), rbacv1.AddToScheme(scheme),
		authenticationv1.AddToScheme(scheme), authorizationv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	check := func(c client.WithWatch, o runtime.Object) error {
		gvk, err := c.GroupVersionKindFor(o)
		if err != nil {
			return err
		}
		for _, kind := range forbids {
			if strings.TrimSuffix(gvk.Kind, "List") == kind {
				return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "", errors.New("not allowed"))
			}
		}
		return nil
	}
	if funcs.Get == nil {
		funcs.Get = func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			return errors.Join(check(c, o), c.Get(ctx, key, o, options...))
		}
	}
	funcs.List = func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if err := check(c, list); err != nil {
			return err
		}
		return c.List(ctx, list, options...)
	}
	funcs.Create = func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
		if review, is := o.(*authenticationv1.SelfSubjectReview); is {
			review.Status.UserInfo.Username = "anna"
		}
		return nil
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
}

func TestExplain(t *testing.T) {
	overridden := townWeb("urgent", "web")
	overridden.Labels[v1alpha1.OverriddenLabel] = "true"
	overridden.Annotations = map[string]string{override.Reason: "INC-1", override.By: "bo", override.Until: "2026-11-23T13:00:00Z"}
	held := townWeb("held", "web")
	held.Labels[v1alpha1.HeldLabel], held.Labels[v1alpha1.HeldSinceLabel] = v1alpha1.HeldWaiting, "2026-11-23T08.00.00Z"
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "heby"}}, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "tierp"}},
		townGate(), townWeb("web", "web"), townWeb("db", "db"), overridden, held,
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "heby", Name: "web-0", Labels: map[string]string{"tier": "web"}}},
	}
	unread := []string{"MaintenanceWindow", "ChangeFreeze", "ClusterRole", "ClusterRoleBinding"}
	for args, want := range map[string][]string{
		"explain deploy/web -n heby": {
			"Deployment heby/web\n", "Rollout      held      accepted, and waits until Sat 28 Nov 2026 09:00 CET, when web opens   web",
			"ScaleDown    allowed   no window governs it", "Delete       refused   from Sat 28 Nov 2026 09:00 CET, by all", "Evict        allowed   until Thu 24 Dec 2026 00:00 UTC, when change freeze jul begins",
			"Freeze to come: jul from Thu 24 Dec 2026 00:00 UTC (Jul)", "kubectl window override deployment/web -n heby --reason REASON",
			"kubectl annotate -n heby deployments.apps/web maintenance.fonster.dev/override=REASON", "It stands 1h at most. The reason must match ^INC-",
			"Requires the `override` verb on any one of the maintenancewindows all, web. You do not have it.", "You may not read who has the right", "You may not read windows"},
		"explain deployments.apps db -n heby": {"Rollout      allowed   until Thu 24 Dec 2026", "on maintenancewindows/all. You do not have it."},
		"when -n heby":                        {"Namespace heby\n", "OF", "Rollout      held", "tier in (web)", "Rollout      allowed   until Thu 24 Dec", "everything else", "kubectl window override namespace/heby"},
		"explain pod/web-0 -n heby":           {"Rollout      refused   from Sat 28", "kubectl window override namespace/heby"},
		"explain deploy/urgent -n heby":       {"Rollout      allowed   an override stands until Mon 23 Nov 2026 13:00 UTC", `Override of Deployment heby/urgent stands until Mon 23 Nov 2026 13:00 UTC: "INC-1", by bo`},
		"explain deploy/held -n heby":         {"Held since Mon 23 Nov 2026 08:00 UTC: number 1 in the queue of web, opens Sat 28 Nov 2026 09:00 CET"},
		"when -n tierp":                       {"Namespace tierp: no window and no freeze governs its namespace", "Rollout      allowed   no window governs it"},
		"explain -n heby --no-headers":        {"Namespace heby\nRollout"},
		"explain deploy/web -n heby -o name":  {"deployment.apps/web\n"},
		"explain deploy/web -n heby -o yaml":  {"answer: Held\n", "object: Deployment heby/web\n"},
	} {
		code, stdout, stderr := asked(t, objects, unread, strings.Fields(args)...)
		for _, part := range want {
			if code != 0 || !strings.Contains(stdout, part) {
				t.Errorf("%s: code %d, no %q in\n%s%s", args, code, part, stdout, stderr)
			}
		}
	}
	_, stdout, stderr := asked(t, objects, append(unread, "Deployment", "Namespace"), "explain", "deploy/db", "-n", "heby", "-o", "json")
	var e explanation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil || len(e.Notes) != 3 || e.Disruptions[0].Answer != "Held" || e.Disruptions[0].FromBy != "web" {
		t.Errorf("where labels are not known everything may govern: %v %s%s", err, stdout, stderr)
	}
	if code, _, stderr := asked(t, objects, []string{"Gate"}, "explain", "deploy/web", "-n", "heby"); code != 1 || !strings.Contains(stderr, "the right to get gates.maintenance.fonster.dev is missing; ask") {
		t.Errorf("code %d: %s", code, stderr)
	}
}

func TestCanI(t *testing.T) {
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "heby"}}, townGate(), townWeb("web", "web"), townWeb("db", "db")}
	exempt := townGate()
	exempt.Spec.Exempt = &v1alpha1.GateExempt{Users: []string{"anna"}}
	for args, want := range map[string]struct {
		code int
		text string
	}{
		"rollout deploy/web":      {1, "no, held: accepted, and waits until Sat 28 Nov 2026 09:00 CET, when web opens\n"},
		"restart deploy/db":       {0, "yes: until Thu 24 Dec 2026 00:00 UTC, when change freeze jul begins\n"},
		"Delete deploy web":       {1, "no, refused: from Sat 28 Nov 2026 09:00 CET, by all\n"},
		"scale deploy/web":        {0, "yes: no window governs it\n"},
		"scale-to-zero deploy/db": {1, "no, refused: from Sat 28 Nov 2026 09:00 CET, by all\n"},
		"relabel deploy/db":       {1, "no, refused: from Sat 28 Nov 2026 09:00 CET, by all\n"},
		"evict deploy/web":        {0, "yes: until Thu 24 Dec 2026 00:00 UTC, when change freeze jul begins\n"},
		"delete ns/heby":          {1, "no, refused: from Sat 28 Nov 2026 09:00 CET, by all\n"},
		"delete deploy/web -q":    {1, ""},
		"fly deploy/web":          {2, ""},
		"rollout job/web":         {2, ""},
		"rollout":                 {2, ""},
		"rollout web":             {2, ""},
	} {
		code, stdout, stderr := asked(t, objects, nil, append([]string{"can-i", "-n", "heby"}, strings.Fields(args)...)...)
		if code != want.code || stdout != want.text {
			t.Errorf("%s: code %d %q, want %d %q\n%s", args, code, stdout, want.code, want.text, stderr)
		}
	}
	objects[1] = exempt
	if code, stdout, _ := asked(t, objects, nil, "can-i", "delete", "deploy/web", "-n", "heby"); code != 0 || !strings.Contains(stdout, "whom every gate lets pass") {
		t.Errorf("code %d %s", code, stdout)
	}
}

// TestWaitSurvives: a watch that breaks, an API server that is away for a while, and a Gate that changes; what waiting does not mend ends it.
func TestWaitSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := townGate()
		var away atomic.Bool
		var watches atomic.Int32
		c := answering(t, []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "heby"}}, g, townWeb("web", "web")}, nil, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
				if away.Load() {
					return errors.New("connection refused")
				}
				return c.Get(ctx, key, o, options...)
			},
			Watch: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
				if watches.Add(1)%2 == 0 {
					return nil, errors.New("connection refused")
				}
				w := watch.NewFake()
				go func() {
					time.Sleep(5 * time.Second)
					w.Stop()
				}()
				return w, nil
			},
		})
		var out, errs bytes.Buffer
		start := time.Now()
		r := &root{Streams: Streams{Out: &out, Err: &errs}, now: func() time.Time { return now.Add(time.Since(start)) }, zone: time.UTC}
		r.connect = func() (client.Client, error) { return c, nil }
		ended := make(chan int)
		go func() {
			ended <- r.run(t.Context(), []string{"wait", "deploy/web", "-n", "heby", "--for", "rollout", "--timeout", "10m"})
		}()
		time.Sleep(30 * time.Second)
		away.Store(true)
		time.Sleep(2 * time.Minute)
		away.Store(false)
		time.Sleep(30 * time.Second)
		g.Spec.Targets[1].Open = true
		if err := c.Update(t.Context(), g); err != nil {
			t.Error(err)
		}
		opened := time.Now()
		if code := <-ended; code != 0 || time.Since(opened) > pollEvery || !strings.Contains(out.String(), "Deployment heby/web: yes: until Thu 24 Dec 2026") {
			t.Errorf("code %d after %s\n%s%s", code, time.Since(opened), &out, &errs)
		}
		if watches.Load() < 5 {
			t.Errorf("%d watches", watches.Load())
		}
		for _, part := range []string{"Deployment heby/web: no, held: accepted, and waits until Sat 28 Nov", "The cluster does not answer, trying again: connection refused"} {
			if strings.Count(errs.String(), part) != 1+strings.Count(part, "Deployment") {
				t.Errorf("%q is told %d times:\n%s", part, strings.Count(errs.String(), part), &errs)
			}
		}

		errs.Reset()
		start = time.Now()
		if code := r.run(t.Context(), []string{"wait", "deploy/web", "-n", "heby", "--for", "delete", "--timeout", "95s"}); code != 1 || time.Since(start).Round(time.Second) != 95*time.Second ||
			!strings.Contains(errs.String(), "after 1m35s it may not begin yet: Deployment heby/web: no, refused: from Sat 28 Nov") {
			t.Errorf("code %d after %s: %s", code, time.Since(start), &errs)
		}
		start = time.Now()
		if code := r.run(t.Context(), []string{"wait", "deploy/none", "-n", "heby"}); code != 1 || time.Since(start) > time.Second {
			t.Errorf("what does not exist: code %d after %s", code, time.Since(start))
		}
		time.Sleep(time.Minute) // the watches end
	})
}

// TestServerClock: the clock of the API server counts, by the dates of its answers; one that may be the same is taken for it.
func TestServerClock(t *testing.T) {
	r := &root{now: func() time.Time { return now }}
	for ahead, want := range map[time.Duration]time.Duration{time.Second: 0, -time.Second: 0, time.Hour: time.Hour, -time.Minute: -time.Minute} {
		answer := roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{Header: http.Header{"Date": {now.Add(ahead).Format(http.TimeFormat)}}}, nil
		})
		if _, err := r.clock.listen(r.now)(answer).RoundTrip(&http.Request{}); err != nil { //nolint:bodyclose // there is none
			t.Fatal(err)
		}
		if got := r.serverNow().Sub(now); got != want {
			t.Errorf("%s ahead: %s, want %s", ahead, got, want)
		}
	}
	refused := roundTripper(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("refused") })
	if _, err := r.clock.listen(r.now)(refused).RoundTrip(&http.Request{}); err == nil { //nolint:bodyclose // there is none
		t.Error("no error")
	}
}
