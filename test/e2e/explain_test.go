package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/hack/policygen"
	"fonster.dev/fonster/internal/cli"
	"fonster.dev/fonster/internal/override"
)

// askedBeforehand counts the attempts that the plugin was asked about before they were made.
var askedBeforehand int

// answer is what can-i says, as its JSON has it.
type answer struct {
	May         bool
	Text        string
	Disruptions []struct {
		Disruption, Answer, Text, From, FromBy string
		Windows                                []string
		FreezesToCome, Freezes                 []struct{ Name, Reason string }
	}
}

// beforehand asks the plugin what it says of an attempt before it is made; the result holds that against what the API server did. Of what
// is harmless there is nothing to ask: it is no disruption, whatever the gate. Nor of what the control plane is refused, which has no
// verb.
func beforehand(t *testing.T, title string, a attempt, m mode) (agrees func(err error, warned string)) {
	t.Helper()
	if a.harmless || a.strict && m.exempt {
		return func(error, string) {}
	}
	askedBeforehand++
	verb, object := askedAs(t, title, a, m.namespace)
	args := []string{"can-i", verb, object, "-n", m.namespace, "-o", "json"}
	user := ""
	if m.exempt {
		user = "system:serviceaccount:kube-system:generic-garbage-collector"
		args = append(args, "--as-group", "system:masters")
	}
	code, out, errs := kubectlWindow(t, user, args...)
	var said answer
	if err := json.Unmarshal([]byte(out), &said); err != nil || len(said.Disruptions) == 0 {
		t.Fatalf("%v: code %d %s%s", args, code, out, errs)
	}
	return func(err error, warned string) {
		t.Helper()
		did := "Allowed"
		switch {
		case apierrors.IsForbidden(err):
			did = "Refused"
		case strings.Contains(warned, "fonster"):
			did = "Warned"
		}
		first := said.Disruptions[0]
		if first.Answer != did || said.May != (did != "Refused") || (code == 0) != said.May {
			t.Errorf("%s %s: code %d %q beforehand, and then %s: %v %s", verb, object, code, first.Answer, did, err, warned)
		}
		if did != "Refused" {
			return
		}
		for _, part := range []string{"change freeze rules-frozen is in force", "(Val: röstning pågår)", "09:00 UTC, by " + m.namespace} {
			if in, told := strings.Contains(err.Error(), part), strings.Contains(first.Text, part); in != told {
				t.Errorf("%q: refused with it %t, told of it beforehand %t: %q and %q", part, in, told, err, first.Text)
			}
		}
	}
}

// askedAs is how somebody would ask about an attempt: the verb, and the object that it is about.
func askedAs(t *testing.T, title string, a attempt, namespace string) (verb, object string) {
	t.Helper()
	o := a.object(namespace)
	name(o, objectName(title))
	made, err := shared.Admin.GroupVersionKindFor(o)
	if err != nil {
		t.Fatal(err)
	}
	if a.rule == relabelled {
		return "relabel", made.Kind + "/" + o.GetName()
	}
	rule := ruleNamed(t, a.rule)
	verb = map[v1alpha1.Disruption]string{v1alpha1.Rollout: "rollout", v1alpha1.ScaleDown: "scale-down", v1alpha1.Delete: "delete", v1alpha1.Evict: "evict"}[rule.Disruption]
	if strings.HasSuffix(rule.Resource, "/scale") && rule.Disruption == v1alpha1.ScaleDown {
		verb = "scale"
	}
	if strings.HasSuffix(rule.Name, "-scale-to-zero") || strings.HasPrefix(rule.Name, "autoscaler-") && rule.Disruption == v1alpha1.Delete {
		verb = "scale-to-zero"
	}
	if rule.Kind == made.Kind {
		return verb, made.Kind + "/" + o.GetName()
	}
	list := &metav1.PartialObjectMetadataList{} // what the controller of the object keeps
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(rule.Kind + "List"))
	if rule.Group == "" {
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(rule.Kind + "List"))
	}
	if err := shared.Admin.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{"app": o.GetName()}); err != nil || len(list.Items) == 0 {
		t.Fatalf("no %s of %s: %v", rule.Kind, o.GetName(), err)
	}
	return verb, rule.Kind + "/" + list.Items[0].Name
}

func ruleNamed(t *testing.T, name string) policygen.Rule {
	t.Helper()
	for _, s := range policygen.RuleSets {
		for _, r := range s.Rules {
			if r.Name == name {
				return r
			}
		}
	}
	t.Fatalf("there is no rule %s", name)
	return policygen.Rule{}
}

// account is a service account with a token of its own.
type account struct {
	kubeconfig string
	client     client.Client
}

// window runs the plugin as the account.
func (a account) window(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), append(args, "--kubeconfig", a.kubeconfig), cli.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr}, time.Now)
	return code, stdout.String(), stderr.String()
}

// viewerOf makes a service account with the ClusterRole view in one namespace, and nothing else: the binding by which everybody reads
// windows and freezes is away until the test has ended.
func viewerOf(t *testing.T, namespace string) account {
	t.Helper()
	everybody := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "fonster-viewers"}}
	get(t, everybody)
	wantPassed(t, shared.Admin.Delete(t.Context(), everybody.DeepCopy()))
	t.Cleanup(func() {
		everybody.ResourceVersion, everybody.UID = "", ""
		if err := shared.Admin.Create(context.Background(), everybody); err != nil {
			t.Error(err)
		}
	})
	kubeconfig, config, err := shared.NamespaceAccount(t.Context(), "viewer-"+namespace, "view", namespace)
	if err != nil {
		t.Fatal(err)
	}
	c, err := shared.Client(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error { // the roles are aggregated and seen a little later
		if err := c.List(t.Context(), &v1alpha1.GateList{}, client.InNamespace(namespace)); err != nil {
			return err
		}
		if err := c.List(t.Context(), &v1alpha1.MaintenanceWindowList{}); !apierrors.IsForbidden(err) {
			return fmt.Errorf("windows may still be read: %v", err)
		}
		return nil
	})
	return account{kubeconfig, c}
}

// TestCommandsAsViewer: with the ClusterRole view in one namespace, and no other right, every command answers what can be read there, and
// says which right the rest takes.
func TestCommandsAsViewer(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	deployment(t, ns, "second", 1)
	viewer := viewerOf(t, ns)
	run := func(wantCode int, args ...string) string {
		t.Helper()
		code, out, errs := viewer.window(t, append(args, "-n", ns)...)
		if code != wantCode {
			t.Errorf("%v: code %d, want %d\n%s%s", args, code, wantCode, out, errs)
		}
		return out + errs
	}
	says := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("it does not say %q:\n%s", part, text)
			}
		}
	}

	says(run(0, "explain", "deploy/web"), "no window and no freeze governs its namespace")
	says(run(0, "can-i", "rollout", "deploy/web"), "yes: no window governs it")

	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Hold })
	soon := time.Now().UTC().AddDate(0, 0, 9)
	freeze(t, ns+"-jul", ns, []v1alpha1.Schedule{{Dates: []string{day(soon)}, StartTime: new("00:00"), EndTime: new("24:00")}})
	eventually(t, 10*time.Second, func() error {
		if g := gateOf(t, ns); len(g.Spec.Freezes) != 1 {
			return fmt.Errorf("no freeze to come: %+v", g.Spec)
		}
		return nil
	})
	// Whoever may not change the workload asks all the same what a change would meet.
	says(run(1, "can-i", "rollout", "deploy/web"), "no, held: accepted, and waits until", "13 May", "09:00 UTC, when "+ns+" opens")
	says(run(1, "can-i", "delete", "deployments.apps/web"), "no, refused: from", "09:00 UTC, by "+ns)
	says(run(1, "can-i", "delete", "ns/"+ns), "no, refused")
	if out := run(1, "can-i", "rollout", "deploy/web", "-q"); out != "" {
		t.Errorf("-q says %q", out)
	}
	wantPassed(t, setImage(t.Context(), shared.Admin, d, "app:2"))
	wantPassed(t, setImage(t.Context(), shared.Admin, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "second"}}, "app:2"))
	text := run(0, "explain", "deploy/web")
	says(text, "Deployment "+ns+"/web", "Rollout      held", "Delete       refused", "Freeze to come: "+ns+"-jul", "Val:", "Held since ", "in the queue of "+ns,
		"kubectl window override deployment/web -n "+ns, v1alpha1.OverrideAnnotation+"=REASON", "Requires the `override` verb on maintenancewindows/"+ns+". You do not have it.",
		"You may not read who has the right", "You may not read windows")
	says(run(0, "when"), "Namespace "+ns, "Rollout      held")
	var e struct {
		Object      string
		Governed    bool
		Disruptions []struct {
			Disruption, Answer string
			May                bool
		}
		Held      struct{ Position int }
		Emergency struct{ Needs []struct{ Have bool } }
	}
	if err := json.Unmarshal([]byte(mustOut(t, viewer, "explain", "deploy/second", "-n", ns, "-o", "json")), &e); err != nil ||
		!e.Governed || len(e.Disruptions) != 4 || e.Disruptions[0].Answer != "Held" || e.Held.Position < 1 || e.Held.Position > 2 || len(e.Emergency.Needs) != 1 {
		t.Errorf("%v: %+v", err, e)
	}
	says(run(0, "held"), "Deployment "+ns+"/web", "Deployment "+ns+"/second", "13 May")
	says(run(0, "status"), "You may not read windows and freezes", ns+"   Closed")
	wantPassed(t, annotateWith(t.Context(), shared.Admin, d, override.Reason, "INC-7"))
	says(run(0, "overrides"), "Deployment "+ns+"/web", "INC-7", "You may not read windows, which record overrides")
	says(run(0, "can-i", "rollout", "deploy/web"), "yes: an override stands until ")
	says(run(0, "explain", "deploy/web"), `Override of Deployment `+ns+`/web stands until `, `"INC-7"`)
	says(run(0, "wait", "deploy/web", "--for", "rollout", "--timeout", "5s"), "yes: an override stands")
	says(run(1, "wait", "deploy/second", "--for", "rollout", "--timeout", "0"), "no, held")
	says(run(1, "calendar"), "you may not read the cluster's windows and freezes: ask for a ClusterRoleBinding to fonster-viewer")
	says(run(1, "explain", "deploy/none"), "not found")
	if code, _, errs := viewer.window(t, "explain", "-n", "kube-system"); code != 0 && !strings.Contains(errs, "never governed") {
		t.Errorf("of a namespace that is not the viewer's: code %d %s", code, errs)
	}
	code, _, errs := viewer.window(t, "explain", "-n", "default")
	says(errs, "you may not read the Gate of namespace default: the right to get gates.maintenance.fonster.dev is missing", "ClusterRole view there, by a RoleBinding")
	if code != 1 {
		t.Errorf("code %d of a namespace where nothing may be read", code)
	}
	code, _, errs = viewer.window(t, "held", "-A")
	says(errs, "you may not read what is held", "name it with -n")
	if code != 1 {
		t.Errorf("held -A: code %d", code)
	}
	if code, out, errs := viewer.window(t, "version"); code != 0 || !strings.Contains(out, "is served") {
		t.Errorf("version: code %d %s%s", code, out, errs)
	}
}

func mustOut(t *testing.T, a account, args ...string) string {
	t.Helper()
	code, out, errs := a.window(t, args...)
	if code != 0 {
		t.Fatalf("%v: code %d %s", args, code, errs)
	}
	return out
}

// TestEverybodyReadsWindows: by default whoever is known to the cluster may read windows and freezes, and with view in a namespace is told
// all of it; not the Gates of others.
func TestEverybodyReadsWindows(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Title = "Webb på våren" })
	window(t, ns+"-other", ns+"-other", nextYear())
	kubeconfig, config, err := shared.NamespaceAccount(t.Context(), "everybody-"+ns, "view", ns)
	if err != nil {
		t.Fatal(err)
	}
	c, err := shared.Client(config)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() error { return c.List(t.Context(), &v1alpha1.GateList{}, client.InNamespace(ns)) })
	if err := c.List(t.Context(), &v1alpha1.GateList{}); !apierrors.IsForbidden(err) {
		t.Errorf("the Gates of others: %v", err)
	}
	a := account{kubeconfig, c}
	for command, want := range map[string][]string{
		"explain deploy/web": {"Window " + ns + ": Webb på våren"},
		"status":             {"WINDOW", "Webb på våren", "NAMESPACE"},
		"calendar --to " + fmt.Sprint(time.Now().Year()+2) + "-01-01": {"Webb på våren"},
		"held":      {"No rollout is held in namespace " + ns},
		"overrides": {"Nothing has been overridden in namespace " + ns},
	} {
		out := mustOut(t, a, append(strings.Fields(command), "-n", ns)...)
		for _, part := range want {
			if !strings.Contains(out, part) {
				t.Errorf("%s does not say %q:\n%s", command, part, out)
			}
		}
		if strings.Contains(out, ns+"-other") {
			t.Errorf("%s tells of what does not govern the namespace:\n%s", command, out)
		}
	}
}

// TestExplainTellsWhoMay: whoever may read the cluster's roles is told who has the right that an emergency takes.
func TestExplainTellsWhoMay(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), func(mw *v1alpha1.MaintenanceWindow) {
		mw.Spec.Overrides = &v1alpha1.OverridePolicy{ReasonPattern: "^INC-", MaxDuration: &metav1.Duration{Duration: 30 * time.Minute}}
	})
	overrider(t, "oncall-"+ns, ns)
	create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ns + "-rbac"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"clusterroles", "clusterrolebindings"}, Verbs: []string{"list"}},
	}})
	user := "reader-" + ns
	bindTo(t, user, "view")
	bindTo(t, user, ns+"-rbac")
	eventually(t, 10*time.Second, func() error {
		code, out, errs := kubectlWindow(t, user, "explain", "deploy/web", "-n", ns)
		for _, part := range []string{"It stands 30m at most. The reason must match ^INC-.", "These have it:", "User oncall-" + ns + ", by ClusterRoleBinding "} {
			if code != 0 || !strings.Contains(out, part) {
				return fmt.Errorf("code %d, it does not say %q:\n%s%s", code, part, out, errs)
			}
		}
		return nil
	})
}

// TestWait: it returns when the window opens, not before; a freeze that comes and goes, and the cutoff, count.
func TestWait(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	opens := time.Now().UTC().Add(12 * time.Second).Truncate(time.Second)
	if opens.Add(10*time.Minute).Day() != opens.Day() {
		t.Skip("the window would go past midnight")
	}
	window(t, ns, ns, between(opens, opens.Add(10*time.Minute)))
	cf := freeze(t, ns, ns, nil)
	gated(t, ns, cf.Spec.NamespaceSelector)
	viewer := viewerOf(t, ns)
	dry := client.NewDryRunClient(shared.Admin)
	wantRefused(t, setImage(t.Context(), dry, d, "app:2"))
	ended := make(chan string, 1)
	go func() {
		code, out, errs := viewer.window(t, "wait", "deploy/web", "-n", ns, "--for", "rollout", "--timeout", "2m")
		ended <- fmt.Sprint(code, " ", out, errs)
	}()
	time.Sleep(time.Until(opens) + 3*time.Second)
	select {
	case text := <-ended:
		t.Fatalf("it has not waited for the freeze to end: %s", text)
	default:
	}
	wantPassed(t, shared.Admin.Delete(t.Context(), cf))
	lifted := time.Now()
	select {
	case text := <-ended:
		for _, part := range []string{"0 Deployment " + ns + "/web: yes: until ", "change freeze " + ns + " is in force"} {
			if !strings.Contains(text, part) {
				t.Errorf("it does not say %q: %s", part, text)
			}
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits though everything is open")
	}
	t.Logf("it returned %d ms after the freeze was lifted", time.Since(lifted).Milliseconds())
	wantPassed(t, setImage(t.Context(), dry, d, "app:2"))

	wantPassed(t, shared.Admin.Patch(t.Context(), &v1alpha1.MaintenanceWindow{ObjectMeta: metav1.ObjectMeta{Name: ns}}, mergePatch(`{"spec":{"cutoff":"9m59s"}}`)))
	eventually(t, 10*time.Second, func() error {
		code, out, errs := viewer.window(t, "wait", "deploy/web", "-n", ns, "--timeout", "1s")
		if code != 1 || !strings.Contains(errs, "after 1s it may not begin yet") || !strings.Contains(errs, "but begins nothing new since") {
			return fmt.Errorf("in the cutoff: code %d %s%s", code, out, errs)
		}
		return nil
	})
}

// TestCompletion: kubectl asks the script beside the plugin, which offers names from the cluster.
func TestCompletion(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear())
	t.Setenv("KUBECONFIG", shared.Kubeconfig)
	for args, want := range map[string]string{
		"__complete status " + ns[:5]:                     ns,
		"__complete explain -n " + ns + " deploy/w":       "deploy/web",
		"__complete can-i ro":                             "rollout",
		"__complete wait -n " + ns + " --for ":            "rollout",
		"__complete explain -o ":                          "json",
		"__complete override -n " + ns + " statefulset/x": ":4",
	} {
		var out, errs bytes.Buffer
		cli.Run(t.Context(), strings.Split(args, " "), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, time.Now)
		if !slices.Contains(strings.Split(out.String(), "\n"), want) {
			t.Errorf("%s: no %q in\n%s%s", args, want, &out, &errs)
		}
	}
	script, err := os.ReadFile("../../hack/kubectl_complete-window")
	if err != nil || !strings.Contains(string(script), `exec kubectl-window __complete "$@"`) {
		t.Errorf("%v: %s", err, script)
	}
}
