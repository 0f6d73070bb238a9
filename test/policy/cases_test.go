package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/audit"
	"fonster.dev/fonster/offline/evaluate"
)

// caseVersions are the versions that every case is tried in: the first, the first with mutating policies, and the newest.
var caseVersions = []string{"1.30", "1.36", "1.37"}

var allDisruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.ScaleDown, v1alpha1.Delete, v1alpha1.Evict}

// TestCases makes every attempt of testdata, each file of which is about one rule.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			var f file
			readYAML(t, path, &f)
			harmful, harmless := 0, 0
			for _, a := range f.Attempts {
				t.Run(a.Name, a.try)
				if a.Does != nil && len(*a.Does) == 0 || a.Want != nil && a.Want.verdict == "allow" {
					harmless++
				} else {
					harmful++
				}
			}
			if harmful == 0 || harmless == 0 {
				t.Errorf("%d attempts at harm and %d harmless neighbours: want at least one of each", harmful, harmless)
			}
		})
	}
}

func (a attempt) try(t *testing.T) {
	a.made = a.request(t)
	versions := a.Versions
	if len(versions) == 0 {
		versions = caseVersions
	}
	for _, v := range versions {
		t.Run(v, func(t *testing.T) {
			if a.Want != nil {
				a.check(t, v, a.Gate, a.User, *a.Want)
			}
			if a.Does != nil {
				a.tryDisruptions(t, v)
			}
		})
	}
}

// tryDisruptions holds an attempt that is known by what it does against everything that may be in its way.
func (a attempt) tryDisruptions(t *testing.T, version string) {
	refused, passes := want{"deny", ""}, want{"allow", ""}
	unless := func(w want) want {
		if len(*a.Does) == 0 {
			return passes
		}
		return w
	}
	try := func(name, gate, user string, w want) {
		t.Run(name, func(t *testing.T) { a.check(t, version, named(gate), user, w) })
	}
	for _, d := range allDisruptions {
		t.Run("closed for "+string(d)+" alone", func(t *testing.T) {
			w := passes
			if slices.Contains(*a.Does, d) {
				w = want{"deny", string(d)}
			}
			a.check(t, version, closedFor(t, d), a.User, w)
		})
	}
	try("no Gate", "none", a.User, passes)
	try("open", "open", a.User, passes)
	t.Run("audit", func(t *testing.T) { a.checkAudited(t, version) })
	warns := func(text string) want {
		if a.NeverWarns {
			return passes
		}
		return unless(want{"warn", text})
	}
	try("warn", "warn", a.User, warns("night"))
	try("frozen", "frozen", a.User, unless(want{"deny", "christmas"}))
	try("a freeze warns", "freeze-warns", a.User, warns("christmas"))
	if a.clocked() {
		try("closing by the clock", "closing", a.User, unless(refused))
		try("a freeze begins by the clock", "freezing", a.User, unless(want{"deny", "christmas"}))
	}
	if a.User != "" {
		return
	}
	controlPlane := passes
	if a.ControlPlane {
		controlPlane = unless(refused)
	}
	for user, w := range map[string]want{
		"controller-manager": controlPlane, "deployment-controller": controlPlane, "kubelet": controlPlane,
		"exempt": passes, "exempt-group": passes, "admin": unless(refused), "impostor": unless(refused),
	} {
		try("by "+user, "closed", user, w)
	}
}

// checkAudited: held against a second Gate that is closed, a request passes without a word, and what a closed first one would refuse it for
// is recorded.
func (a attempt) checkAudited(t *testing.T, version string) {
	t.Helper()
	r := a.made
	r.Gate, r.Trial = nil, gateOf(t, named("closed"))
	r.Trial.Name, r.Trial.Labels = v1alpha1.AuditGateName, map[string]string{v1alpha1.AuditsLabel: "true"}
	for i := range r.Trial.Spec.Targets {
		r.Trial.Spec.Targets[i].Overrides = nil
	}
	result := server(t, version).Evaluate(&r)
	if len(result.Errors)+len(result.Denials)+len(result.Warnings) > 0 {
		t.Errorf("not silent: %s; %v", result, result.Errors)
	}
	if recorded := len(result.Audited) > 0; recorded != (len(*a.Does) > 0) {
		t.Errorf("recorded %v, though it does %v", result.Audited, *a.Does)
	}
	for _, f := range result.Audited {
		i := slices.IndexFunc(result.Notes, func(n audit.Note) bool { return n.Policy == f.Policy })
		if i < 0 {
			t.Errorf("%s: not noted: %+v", f.Message, result.Notes)
			continue
		}
		if n := result.Notes[i]; n.Gate != v1alpha1.AuditGateName || n.Freezes || !slices.Contains(n.Names, "night") ||
			a.User == "" && n.Disruption != "" && !slices.Contains(*a.Does, v1alpha1.Disruption(n.Disruption)) {
			t.Errorf("%s: noted as %+v", f.Message, n)
		}
	}
}

// wantNoted: what people are told of windows and freezes, the policy notes for programs.
func wantNoted(t *testing.T, d evaluate.Denial, notes []audit.Note) {
	t.Helper()
	freezes := strings.Contains(d.Message, "refused: change freeze ")
	if !freezes && !strings.Contains(d.Message, "outside its maintenance windows (") {
		return // it is about something else
	}
	if !slices.ContainsFunc(notes, func(n audit.Note) bool {
		return n.Policy == d.Policy && n.Freezes == freezes && n.Gate == v1alpha1.GateName && !slices.ContainsFunc(n.Names, func(name string) bool {
			return !strings.Contains(d.Message, name)
		})
	}) {
		t.Errorf("%s: %s: noted as %+v", d.Policy, d.Message, notes)
	}
}

func named(gate string) json.RawMessage { return json.RawMessage(`"` + gate + `"`) }

// closedFor is a Gate that is closed for one disruption alone.
func closedFor(t *testing.T, d v1alpha1.Disruption) json.RawMessage {
	g := gateOf(t, nil)
	for i := range g.Spec.Targets {
		g.Spec.Targets[i].Disruptions = []v1alpha1.Disruption{d}
	}
	content, err := json.Marshal(g.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// clocked says whether the request brings a time.
func (a attempt) clocked() bool { return !a.Delete && !a.Unstamped && a.Subresource != "scale" }

func (a attempt) check(t *testing.T, version string, gate json.RawMessage, user string, w want) {
	t.Helper()
	r := a.made
	if user != a.User {
		p := personCalled(t, user)
		r.User, r.Groups, r.Rights = p.Name, p.Groups, p.may
	}
	if r.Gate = gateOf(t, gate); r.Gate != nil {
		evaluate.Label(r.Gate, evaluate.CanHold(version))
	}
	result := server(t, version).Evaluate(&r)
	if len(result.Errors) > 0 {
		t.Errorf("errors: %s", strings.Join(result.Errors, "; "))
	}
	for _, d := range slices.Concat(result.Denials, result.Warnings) {
		wantNoted(t, d, result.Notes)
	}
	// What somebody may do for a right that others do not have is noted all the same: who notes can ask for none.
	if harmless := a.Does != nil && len(*a.Does) == 0 && a.User == ""; harmless && len(result.Notes) > 0 {
		t.Errorf("noted, though harmless: %+v", result.Notes)
	}
	got, said := "allow", ""
	switch held := result.Object != nil && result.Object.GetLabels()[v1alpha1.HeldLabel] == v1alpha1.HeldWaiting; {
	case !result.Allowed():
		got, said = "deny", result.Denials[0].Message
	case held && w.verdict == "hold":
		got = "hold"
	case len(result.Warnings) > 0 && !held:
		got, said = "warn", result.Warnings[0].Message
	}
	wanted := w.verdict
	if wanted == "hold" && !evaluate.CanHold(version) {
		wanted = "deny"
	}
	if got != wanted || !strings.Contains(said, w.text) {
		t.Errorf("%s, want %s %q", result, wanted, w.text)
	}
	if a.After != nil && evaluate.CanHold(version) {
		if missing := notIn(a.After, result.Object.Object, ""); missing != "" {
			t.Errorf("afterwards %s", missing)
		}
	}
}

// notIn says what part of an object is not as wanted; null stands for a field that is not there.
func notIn(part, whole map[string]any, path string) string {
	for _, k := range slices.Sorted(maps.Keys(part)) {
		v := evaluate.NormalValue(part[k])
		if inner, is := v.(map[string]any); is {
			of, _ := whole[k].(map[string]any)
			if missing := notIn(inner, of, path+"."+k); missing != "" {
				return missing
			}
			continue
		}
		if !reflect.DeepEqual(v, whole[k]) {
			return fmt.Sprintf("%s.%s is %v, want %v", path, k, whole[k], v)
		}
	}
	return ""
}
