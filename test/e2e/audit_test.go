package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/internal/cli"
)

// auditedNamespaces are those of whose requests the API server keeps an audit log.
var auditedNamespaces = append([]string{"rules-audit", "audit-silent"}, replayed...)

func audits(mw *v1alpha1.MaintenanceWindow) { mw.Spec.Enforcement = v1alpha1.Audit }

// auditedUser gives each attempt a user of its own, by whom its requests are found in the log.
func auditedUser(title string) string { return "audited-" + objectName(title) }

// recordedEvents are the events of a user so far, or of all where none is named.
func recordedEvents(t *testing.T, user string) (events []audit.Event) {
	t.Helper()
	content, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.Read(bytes.NewReader(content), func(e *audit.Event) error {
		if user == "" || e.As().Username == user {
			events = append(events, *e)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return events
}

// recordedFailure is what the API server recorded of a policy that something that audits makes fail, with what the policy notes of it.
type recordedFailure struct {
	audit.Failure
	notes []audit.Note
}

// failures are what the API server recorded of an event.
func failures(t *testing.T, e audit.Event) (all []recordedFailure) {
	t.Helper()
	note, noted := e.Annotations[audit.FailureAnnotation]
	if !noted {
		return nil
	}
	list, err := audit.Failures(note)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		notes, err := e.Notes(f.Policy, v1alpha1.AuditGateName)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recordedFailure{f, notes})
	}
	return all
}

// wantRecorded holds the audit log against the attempts of the matrix: each that is not harmless is recorded as what a window would refuse
// and no other; and what is recorded is what a refusal says.
func wantRecorded(t *testing.T) {
	byUser := map[string][]recordedFailure{}
	for _, e := range recordedEvents(t, "") {
		user := e.As().Username
		if strings.HasPrefix(user, "system:serviceaccount:rules-audit:") { // an attempt by a pod's own account
			user, _, _ = strings.Cut(e.ObjectRef.Name, "-")
			user = "audited-" + user
		}
		byUser[user] = append(byUser[user], failures(t, e)...)
	}
	wanted := 0
	for _, title := range slices.Sorted(maps.Keys(attempts)) {
		a := attempts[title]
		if !possible(t, a) {
			continue
		}
		recorded := byUser[auditedUser(title)]
		if a.harmless {
			if len(recorded) > 0 {
				t.Errorf("%s: recorded, though harmless: %s", title, recorded[0].Message)
			}
			continue
		}
		wanted++
		if len(recorded) == 0 {
			t.Errorf("%s: not recorded", title)
			continue
		}
		wantSaid(t, recorded[0].Message, slices.Concat(a.says, closedSays("rules-audit")[:4])...)
		if notes := recorded[0].notes; len(notes) != 1 || notes[0].Freezes || !slices.Equal(notes[0].Names, []string{"rules-audit"}) {
			t.Errorf("%s: noted as %+v", title, notes)
		}
		if !strings.HasSuffix(recorded[0].Binding, "-audit") || !slices.Equal(recorded[0].Actions, []string{"Audit"}) {
			t.Errorf("%s: recorded by %+v", title, recorded[0])
		}
	}
	if wanted == 0 {
		t.Error("nothing was to be recorded")
	}
}

// TestAuditSilent: a window and a freeze that audit change nothing for anybody, and open nothing that another window shuts; what they would
// refuse is counted by the API server, and told by kubectl window report.
func TestAuditSilent(t *testing.T) {
	ns := "audit-silent"
	namespace(t, ns)
	d := deployment(t, ns, "web", 1)
	window(t, ns, ns, nextYear(), audits)
	const user = "audit-silent-user"
	c, err := recordedAs(user, "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	warnings.take()
	recorded := func(what string, freezes bool) {
		t.Helper()
		eventually(t, 10*time.Second, func() error {
			n := len(recordedEvents(t, user))
			if err := setImage(t.Context(), c, d, "app:"+time.Now().Format("150405.000")); err != nil {
				return err
			}
			for _, e := range recordedEvents(t, user)[n:] {
				for _, f := range failures(t, e) {
					if slices.ContainsFunc(f.notes, func(n audit.Note) bool {
						return n.Freezes == freezes && n.Disruption == "Rollout" && slices.Equal(n.Names, []string{ns})
					}) {
						return nil
					}
				}
			}
			return fmt.Errorf("%s is not recorded", what)
		})
	}
	recorded("the window", false)
	freeze(t, ns, ns, nil, func(cf *v1alpha1.ChangeFreeze) { cf.Spec.Enforcement = v1alpha1.Audit })
	recorded("the freeze", true)
	wantPassed(t, c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}}, client.DryRunAll))
	if said := warnings.take(); len(said) > 0 {
		t.Errorf("it says: %v", said)
	}
	var g v1alpha1.GateList
	if err := shared.Admin.List(t.Context(), &g, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	if len(g.Items) != 1 || g.Items[0].Name != v1alpha1.AuditGateName {
		t.Errorf("gates: %+v", g.Items)
	}

	// The real window shuts, though the other is open.
	window(t, ns+"-open", ns, always(), audits)
	window(t, ns+"-real", ns, nextYear())
	eventually(t, 10*time.Second, func() error {
		err := setImage(t.Context(), c, d, "app:"+time.Now().Format("150405.000"))
		if !apierrors.IsForbidden(err) {
			return fmt.Errorf("not refused: %w", err)
		}
		wantSaid(t, err.Error(), "maintenance windows ("+ns+"-real).")
		return nil
	})
	eventually(t, 5*time.Second, func() error { // a refusal is noted too; the log is written after the answer
		events := recordedEvents(t, user)
		notes, err := events[len(events)-1].Notes("fonster-workloads-deny", v1alpha1.GateName)
		if err == nil && (len(notes) != 1 || notes[0].Freezes || !slices.Equal(notes[0].Names, []string{ns + "-real"})) {
			err = fmt.Errorf("the refusal is noted as %+v", notes)
		}
		return err
	})

	var out bytes.Buffer
	if code := cli.Run(t.Context(), []string{"report", "--audit-log", auditLog, "-o", "json"}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: os.Stderr}, time.Now); code != 0 {
		t.Fatal(code)
	}
	for _, want := range []string{`"window": "` + ns + `"`, `"freeze": "` + ns + `"`, `"user": "` + user + `"`, `"kind": "Deployment"`, `"disruption": "Rollout"`, `"namespace": "` + ns + `"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, out.String())
		}
	}
	metrics, err := shared.Kubectl("get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(metrics)
	}
	if !slices.ContainsFunc(strings.Split(metrics, "\n"), func(line string) bool {
		return strings.HasPrefix(line, "apiserver_validating_admission_policy_check_total{") && strings.Contains(line, `enforcement_action="audit"`) &&
			strings.Contains(line, `policy="fonster-workloads-deny"`) && strings.Contains(line, `policy_binding="fonster-workloads-audit"`)
	}) {
		t.Error("the API server counts nothing")
	}
}
