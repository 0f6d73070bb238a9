package replay

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/offline/decide"
	"fonster.dev/fonster/offline/manifest"
)

func worldOf(t *testing.T, path string) *decide.World {
	t.Helper()
	documents, _, err := manifest.Read(t.Context(), []string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	windows, freezes, err := manifest.Objects(documents)
	if err != nil {
		t.Fatal(err)
	}
	w, err := decide.New(windows, freezes, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestRecorded: of a log that an API server wrote (TestReplay of test/e2e, with FONSTER_RECORD), every disruptive request is decided as it
// was when it was made, under the same windows.
func TestRecorded(t *testing.T) {
	p := New(worldOf(t, "testdata/recorded/windows.yaml"))
	if err := p.Know("testdata/recorded/objects.yaml"); err != nil {
		t.Fatal(err)
	}
	if err := audit.ReadFile("testdata/recorded/audit.log.gz", nil, p.Event); err != nil {
		t.Fatal(err)
	}
	r := p.Report()
	for _, q := range r.Requests {
		if string(q.Verdict) != q.Was {
			t.Errorf("%s %s %s/%s by %s: %s, was %s: %s", q.Verb, q.Kind, q.Namespace, q.Name, q.User, q.Verdict, q.Was, q.Why)
		}
	}
	for verdict, least := range map[decide.Verdict]int{decide.Refused: 10, decide.Allowed: 10, decide.Audited: 5, decide.Held: 1} {
		if r.Verdicts[verdict] < least {
			t.Errorf("%d are %s, want %d at least", r.Verdicts[verdict], verdict, least)
		}
	}
	if r.Verdicts[decide.Unknown] > 0 || r.Events < 50 {
		t.Errorf("%d events, %v", r.Events, r.Verdicts)
	}
}

const window = `
apiVersion: maintenance.fonster.dev/v1alpha1
kind: MaintenanceWindow
metadata: {name: w}
spec:
  timeZone: UTC
  namespaceSelector: %s
  disruptions: [Rollout, ScaleDown, Delete, Evict]
  schedules: [{rrule: FREQ=WEEKLY;BYDAY=SA, startTime: "09:00", endTime: "20:00"}]
`

// web is a Deployment that runs two pods of an image.
func web(image string, generation int) string {
	return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"namespace":"heby","name":"web","generation":%d,"resourceVersion":"%d","labels":{"app":"web"}},
"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"app","image":%q}]}}},
"status":{"observedGeneration":%d,"replicas":2,"updatedReplicas":2}}`, generation, 100+generation, image, generation)
}

// event is an event of the log: on a Monday, or on the Saturday after it.
func event(day, verb, resource, subresource, name string, code int, request, response string) string {
	at := map[string]string{"monday": "2026-12-07T10:00:00.5Z", "saturday": "2026-12-12T10:00:00.5Z"}[day]
	of := func(s string) json.RawMessage {
		if s == "" {
			return nil
		}
		return json.RawMessage(s)
	}
	group := "apps"
	if resource == "pods" || resource == "namespaces" {
		group = ""
	}
	content, err := json.Marshal(map[string]any{
		"kind": "Event", "stage": "ResponseComplete", "auditID": "x", "verb": verb, "requestURI": "/x", "user": map[string]any{"username": "anna", "groups": []string{"system:authenticated"}},
		"objectRef":      map[string]any{"resource": resource, "subresource": subresource, "namespace": "heby", "name": name, "apiGroup": group, "apiVersion": "v1"},
		"responseStatus": map[string]any{"code": code}, "requestObject": of(request), "responseObject": of(response), "requestReceivedTimestamp": at,
	})
	if err != nil {
		panic(err)
	}
	return string(content) + "\n"
}

// TestNeverGuessed: what an earlier event shows is worked out, and what none shows is unknown, with why.
func TestNeverGuessed(t *testing.T) {
	const patch = `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:2"}]}}}}`
	seen := event("monday", "patch", "deployments", "status", "web", 200, "", web("app:1", 1))
	labelled := event("monday", "create", "namespaces", "", "heby", 201, "", `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"heby","labels":{"kommun":"heby"}}}`)
	owned := event("monday", "patch", "deployments", "status", "web", 200, "", strings.Replace(web("app:1", 1), `"generation"`, `"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"a","uid":"a"}],"generation"`, 1))
	rollout := func(day string) string {
		return event(day, "patch", "deployments", "", "web", 200, patch, web("app:2", 2))
	}
	for name, tc := range map[string]struct {
		selector, log string
		want          []string // VERDICT: part of why
	}{
		"seen before":               {"{}", seen + rollout("monday"), []string{"Refused: is outside its maintenance windows (w)"}},
		"inside the window":         {"{}", seen + rollout("saturday"), []string{"Allowed: open: w"}},
		"never seen":                {"{}", rollout("monday"), []string{"Unknown: the object before the request is not in the log"}},
		"seen by the request":       {"{}", rollout("monday") + event("monday", "delete", "deployments", "", "web", 200, "", `{"kind":"Status"}`), []string{"Unknown", "Refused: Delete of Deployment heby/web"}},
		"of an unlabelled town":     {"{matchLabels: {kommun: heby}}", seen + rollout("monday"), []string{"Unknown: the labels of the namespace are not in the log"}},
		"of a labelled one":         {"{matchLabels: {kommun: heby}}", labelled + seen + rollout("monday"), []string{"Refused: (w)"}},
		"of another one":            {"{matchLabels: {kommun: tierp}}", labelled + seen + rollout("monday"), []string{"Allowed: no window and no freeze governs"}},
		"by its own name":           {"{matchLabels: {kubernetes.io/metadata.name: heby}}", seen + rollout("monday"), []string{"Refused: (w)"}},
		"harmless":                  {"{}", seen + event("monday", "patch", "deployments", "", "web", 200, `{"metadata":{"labels":{"note":"x"}}}`, strings.Replace(web("app:1", 1), `{"app":"web"}`, `{"app":"web","note":"x"}`, 1)), nil},
		"refused then":              {"{}", seen + event("monday", "patch", "deployments", "", "web", 403, patch, `{"kind":"Status"}`), []string{"Refused: (w)"}},
		"changed unseen":            {"{}", seen + event("monday", "update", "deployments", "", "web", 403, web("app:2", 7), `{"kind":"Status"}`), []string{"Unknown: something has changed it that is not in the log"}},
		"an ambiguous patch":        {"{}", owned + event("monday", "patch", "deployments", "", "web", 403, `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"b","uid":"b"}]}}`, `{"kind":"Status"}`), []string{"Unknown: the log does not tell a strategic patch"}},
		"scaled down":               {"{}", seen + event("monday", "update", "deployments", "scale", "web", 200, `{"kind":"Scale","spec":{"replicas":1}}`, `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web"},"spec":{"replicas":1}}`), []string{"Refused: ScaleDown of Deployment heby/web"}},
		"scaled up after that":      {"{}", seen + event("saturday", "update", "deployments", "scale", "web", 200, "", `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web"},"spec":{"replicas":1}}`) + event("monday", "update", "deployments", "scale", "web", 200, "", `{"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"web"},"spec":{"replicas":2}}`), []string{"Allowed: open: w"}},
		"evicted":                   {"{}", event("monday", "create", "pods", "eviction", "web-1", 201, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":"heby","name":"web-1"}}`, `{"kind":"Status"}`), []string{"Refused: Evict of Pod heby/web-1"}},
		"all pods":                  {"{}", event("monday", "deletecollection", "pods", "", "", 200, "", `{"kind":"PodList","items":[{"metadata":{"namespace":"heby","name":"a"},"spec":{"nodeName":"n"},"status":{"phase":"Running"}},{"metadata":{"namespace":"heby","name":"b"},"spec":{"nodeName":"n"},"status":{"phase":"Succeeded"}}]}`), []string{"Refused: Delete of Pod heby/a"}},
		"all pods, refused":         {"{}", event("monday", "deletecollection", "pods", "", "", 403, "", `{"kind":"Status"}`), []string{"Unknown: what it would delete"}},
		"an older autoscaler":       {"{}", event("monday", "create", "horizontalpodautoscalers", "", "web", 201, "", `{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"}}`), []string{"Unknown: it was written as autoscaling/v1"}},
		"without what was written":  {"{}", seen + event("monday", "patch", "deployments", "", "web", 403, "", `{"kind":"Status"}`), []string{"Unknown: it needs the level Request"}},
		"an override, by who knows": {"{}", seen + event("monday", "patch", "deployments", "", "web", 403, `{"metadata":{"annotations":{"maintenance.fonster.dev/override":"INC-1"}},"spec":{"template":{"spec":{"containers":[{"name":"app","image":"app:2"}]}}}}`, `{"kind":"Status"}`), []string{"Unknown: with the right to override"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "windows.yaml")
			if err := os.WriteFile(path, []byte(fmt.Sprintf(window, tc.selector)), 0o600); err != nil {
				t.Fatal(err)
			}
			p := New(worldOf(t, path))
			if err := audit.Read(strings.NewReader(tc.log), p.Event); err != nil {
				t.Fatal(err)
			}
			r := p.Report()
			var got []string
			for _, q := range r.Requests {
				got = append(got, string(q.Verdict)+": "+q.Why)
			}
			if len(got) != len(tc.want) {
				t.Fatalf("%q, want %q", got, tc.want)
			}
			for i, want := range tc.want {
				verdict, why, _ := strings.Cut(want, ": ")
				if !strings.HasPrefix(got[i], verdict+":") || !strings.Contains(got[i], why) {
					t.Errorf("%s, want %s", got[i], want)
				}
			}
		})
	}
}

// TestObjects: what --objects has is known from the beginning.
func TestObjects(t *testing.T) {
	folder := t.TempDir()
	windows, objects := filepath.Join(folder, "windows.yaml"), filepath.Join(folder, "objects.json")
	for path, content := range map[string]string{
		windows: fmt.Sprintf(window, "{matchLabels: {kommun: heby}}"),
		objects: `{"apiVersion":"v1","kind":"List","items":[` + web("app:1", 1) + `,{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"heby","labels":{"kommun":"heby"}}}]}`,
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := New(worldOf(t, windows))
	if err := p.Know(objects); err != nil {
		t.Fatal(err)
	}
	if err := audit.Read(strings.NewReader(event("monday", "delete", "deployments", "", "web", 200, "", `{"kind":"Status"}`)), p.Event); err != nil {
		t.Fatal(err)
	}
	r := p.Report()
	if len(r.Requests) != 1 || r.Requests[0].Verdict != decide.Refused || len(r.Groups) != 1 || r.Groups[0].By != "w" {
		t.Errorf("%+v", r)
	}
}
