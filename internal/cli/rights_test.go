package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"fonster.dev/fonster/api/v1alpha1"
)

// targetOf is a target of windows, to one of which an override requires the right.
func targetOf(objects *metav1.LabelSelector, longest time.Duration, windows ...string) v1alpha1.GateTarget {
	t := v1alpha1.GateTarget{ObjectSelector: objects, Windows: windows}
	if longest > 0 {
		t.Overrides = &v1alpha1.GateOverrides{Windows: windows, MaxDuration: metav1.Duration{Duration: longest}}
	}
	return t
}

// freezeOf is a freeze in force; passes says that an override passes it.
func freezeOf(name string, passes bool) v1alpha1.GateFreeze {
	f := v1alpha1.GateFreeze{Name: name, Enforcement: v1alpha1.Deny, Active: true}
	if passes {
		f.Overrides = &v1alpha1.GateFreezeOverrides{MaxDuration: metav1.Duration{Duration: 30 * time.Minute}}
	}
	return f
}

func app(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

// TestNeeds: the right to any one of the windows that govern a workload; of a Namespace, to one of those that govern everything in it, or
// else to one of each objectSelector; and to each freeze in force.
func TestNeeds(t *testing.T) {
	warns, begun, later := freezeOf("warns", false), freezeOf("begun", true), freezeOf("later", false)
	warns.Enforcement = v1alpha1.Warn
	begun.Active, begun.StartsAt = false, &metav1.Time{Time: now}
	later.Active, later.StartsAt = false, &metav1.Time{Time: now.AddDate(0, 0, 1)}
	db := freezeOf("db", true)
	db.ObjectSelector = app("db")
	gate := &v1alpha1.Gate{Spec: v1alpha1.GateSpec{
		Targets: []v1alpha1.GateTarget{
			targetOf(nil, time.Hour, "heby", "alla"), targetOf(app("web"), time.Hour, "web", "heby"), targetOf(app("db"), time.Hour, "db"), targetOf(nil, 0, "varnar"),
		},
		Freezes: []v1alpha1.GateFreeze{freezeOf("val", true), freezeOf("stopp", false), warns, begun, later, db},
	}}
	windows := func(names ...string) need { return need{Resource: windowsResource, Names: names} }
	freezes := []need{
		{Resource: freezesResource, Names: []string{"val"}}, {Resource: freezesResource, Names: []string{"stopp"}, Impossible: true},
		{Resource: freezesResource, Names: []string{"begun"}},
	}
	many := []need{windows("heby", "alla")}
	for _, name := range []string{"val", "stopp", "begun", "db"} { // more freezes than the policies ask for
		many = append(many, need{Resource: freezesResource, Names: []string{name}, Impossible: true})
	}
	gateOf := func(targets ...v1alpha1.GateTarget) *v1alpha1.Gate {
		return &v1alpha1.Gate{Spec: v1alpha1.GateSpec{Targets: targets}}
	}
	part := func(name string, names ...string) need {
		return need{Resource: windowsResource, ObjectSelector: "app=" + name, Names: names, All: len(names) == 0}
	}
	parts := gateOf(targetOf(app("web"), time.Hour, "web"), targetOf(app("db"), time.Hour, "db", "b"), targetOf(app("web"), time.Hour, "w", "web"), targetOf(nil, 0, "varnar"))
	eight := func(prefix string) (names []string) {
		for i := range 8 {
			names = append(names, fmt.Sprintf("%s%d", prefix, i))
		}
		return names
	}
	a, b := eight("a"), eight("b")
	crowded := gateOf(targetOf(app("a"), time.Hour, a...), targetOf(app("b"), time.Hour, b...), targetOf(app("c"), time.Hour, "c"))
	for title, tc := range map[string]struct {
		gate   *v1alpha1.Gate
		object *labels.Set
		want   []need
	}{
		"a namespace in parts":     {parts, nil, []need{part("web", "web", "w"), part("db", "db", "b")}},
		"a workload of a part":     {parts, &labels.Set{"app": "web"}, []need{windows("web", "w")}},
		"a namespace, one part":    {gateOf(targetOf(app("web"), time.Hour, "web")), nil, []need{part("web", "web")}},
		"more than are asked for":  {crowded, nil, []need{part("a", a...), part("b", b[:4]...), part("c")}},
		"more for a workload":      {gateOf(targetOf(nil, time.Hour, a...), targetOf(app("b"), time.Hour, b...)), &labels.Set{"app": "b"}, []need{windows(append(a[:8:8], b[:4]...)...)}},
		"asked for twice":          {gateOf(targetOf(nil, time.Hour, a...), targetOf(nil, time.Hour, a...), targetOf(nil, time.Hour, "c")), nil, []need{windows(a...)}},
		"windows that warn":        {gateOf(targetOf(nil, 0, "varnar")), nil, nil},
		"a part beside what warns": {gateOf(targetOf(nil, 0, "varnar"), targetOf(app("db"), time.Hour, "db")), nil, []need{part("db", "db")}},
		"a workload":               {gate, &labels.Set{"app": "web"}, append([]need{windows("heby", "alla", "web")}, freezes...)},
		"another workload":         {gate, &labels.Set{}, append([]need{windows("heby", "alla")}, freezes...)},
		"a whole namespace":        {gate, nil, many},
		"not governed":             {nil, &labels.Set{"app": "web"}, nil},
	} {
		g, err := governing(tc.gate, tc.object)
		if diff := cmp.Diff(tc.want, g.needs(now)); err != nil || diff != "" {
			t.Errorf("%s: %v -want +got:\n%s", title, err, diff)
		}
	}
}

// TestLongest: the strictest window and freeze say how long an override may stand.
func TestLongest(t *testing.T) {
	for want, g := range map[time.Duration]governed{
		10 * time.Minute: {targets: []v1alpha1.GateTarget{targetOf(nil, 2*time.Hour, "a"), targetOf(nil, 10*time.Minute, "b"), targetOf(nil, 0, "c")}},
		30 * time.Minute: {targets: []v1alpha1.GateTarget{targetOf(nil, time.Hour, "a")}, freezes: []v1alpha1.GateFreeze{freezeOf("f", true), freezeOf("g", false)}},
		time.Hour:        {},
	} {
		if got := g.longest(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestHolders: a rule that names other windows or freezes gives no right.
func TestHolders(t *testing.T) {
	role := func(name string, resources []string, names ...string) rbacv1.ClusterRole {
		return rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{v1alpha1.GroupName}, Resources: resources, ResourceNames: names, Verbs: []string{"get", "override"}},
		}}
	}
	roles := []rbacv1.ClusterRole{
		role("all", []string{windowsResource, freezesResource}), role("mine", []string{windowsResource}, "other", "mine"),
		role("another", []string{windowsResource}, "other"), role("freeze", []string{freezesResource}, "mine"), role("any", []string{"*"}),
	}
	roles[4].Rules[0].APIGroups, roles[4].Rules[0].Verbs = []string{"*"}, []string{"*"}
	var bindings []rbacv1.ClusterRoleBinding
	for _, r := range roles {
		bindings = append(bindings, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: r.Name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: r.Name},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: r.Name}}})
	}
	for title, tc := range map[string]struct {
		need need
		want string
	}{
		"one window":     {need{Resource: windowsResource, Names: []string{"mine"}}, "all any mine"},
		"one of several": {need{Resource: windowsResource, Names: []string{"some", "other"}}, "all another any mine"},
		"a freeze":       {need{Resource: freezesResource, Names: []string{"mine"}}, "all any freeze"},
		"another freeze": {need{Resource: freezesResource, Names: []string{"other"}}, "all any"},
		"not known":      {need{Resource: windowsResource}, "all another any mine"},
		"all windows":    {need{Resource: windowsResource, All: true}, "all any"},
	} {
		var got []string
		for _, line := range holders(tc.need, roles, bindings) {
			got = append(got, line[strings.LastIndex(line, " ")+1:])
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v, want %s", title, got, tc.want)
		}
	}
}

// TestGoverned: what governs is read from the Gate of the namespace alone; where there is none, nothing does.
func TestGoverned(t *testing.T) {
	gate := gateIn("heby", v1alpha1.GateClosed, "", "")
	gate.Spec.Targets = []v1alpha1.GateTarget{targetOf(nil, time.Hour, "heby"), targetOf(app("db"), time.Hour, "db")}
	protected := gateIn("kube-system", v1alpha1.GateClosed, "", "")
	protected.Spec.Targets = gate.Spec.Targets
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "heby", Name: "web", Labels: map[string]string{"app": "web"}}}
	for target, want := range map[string][]string{
		"deploy/web -n heby": {"heby"}, "ns/heby": {"heby"}, "deploy/web -n tierp": nil, "ns/tierp": nil, "ns/kube-system": nil,
	} {
		var got []string
		r := &root{Streams: Streams{Out: io.Discard, Err: io.Discard}}
		name, namespace, _ := strings.Cut(target, " -n ")
		o := &overrideCommand{root: r, reason: "x", format: format{output: "text"}, namespace: namespace + choose(namespace == "", "default", "")}
		if err := o.complete(name); err != nil {
			t.Fatal(err)
		}
		c, err := clusterWith(gate, protected, web)
		if err != nil {
			t.Fatal(err)
		}
		g, err := o.governed(t.Context(), c)
		for _, n := range g.needs(now) {
			got = append(got, n.Names...)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", target, got, err, want)
		}
	}
}

// TestNeedTexts: what people read, and what scripts do.
func TestNeedTexts(t *testing.T) {
	for _, tc := range []struct {
		need       need
		text, json string
	}{
		{
			need{Resource: windowsResource, Names: []string{"heby"}, Have: true},
			"Requires the `override` verb on maintenancewindows/heby. You have it.\n",
			`{"resource":"maintenancewindows","names":["heby"],"have":true}`,
		},
		{
			need{Resource: windowsResource, Names: []string{"heby", "alla"}},
			"Requires the `override` verb on any one of the maintenancewindows heby, alla. You do not have it.\n",
			`{"resource":"maintenancewindows","names":["heby","alla"],"have":false}`,
		},
		{
			need{Resource: windowsResource, ObjectSelector: "app=web", Names: []string{"web", "w"}},
			"For objects with app=web: requires the `override` verb on any one of the maintenancewindows web, w. You do not have it.\n",
			`{"resource":"maintenancewindows","names":["web","w"],"objectSelector":"app=web","have":false}`,
		},
		{
			need{Resource: windowsResource, ObjectSelector: "app=c", All: true},
			"For objects with app=c: requires the `override` verb on all maintenancewindows, without resourceNames: too many windows govern to be asked for by name. You do not have it.\n",
			`{"resource":"maintenancewindows","objectSelector":"app=c","all":true,"have":false}`,
		},
		{need{Resource: windowsResource}, "Requires the `override` verb on maintenancewindows that govern.\n", `{"resource":"maintenancewindows","have":false}`},
		{
			need{Resource: freezesResource, Names: []string{"val"}},
			"Change freeze val is in force: changing anything under the override requires the `override` verb on changefreezes/val. You do not have it.\n",
			`{"resource":"changefreezes","names":["val"],"have":false}`,
		},
		{
			need{Resource: freezesResource, Names: []string{"stopp"}, Impossible: true},
			"Change freeze stopp is in force, and no override passes it: it ends when its ChangeFreeze is changed or deleted.\n",
			`{"resource":"changefreezes","names":["stopp"],"impossible":true,"have":false}`,
		},
	} {
		content, err := json.Marshal(tc.need)
		if text := tc.need.String(); text != tc.text || err != nil || string(content) != tc.json {
			t.Errorf("%v\n%s%s\nwant\n%s%s", err, text, content, tc.text, tc.json)
		}
	}
}

// TestHave: of each right the API server is asked, by the names of windows, or without one where the right to all is required.
func TestHave(t *testing.T) {
	var windows []string
	for i := range v1alpha1.MaxOverrideWindows {
		windows = append(windows, fmt.Sprintf("w%d", i))
	}
	gate := gateIn("heby", v1alpha1.GateClosed, "", "")
	gate.Spec.Targets = []v1alpha1.GateTarget{
		targetOf(app("web"), time.Hour, windows[:8]...), targetOf(app("db"), time.Hour, windows[8:]...), targetOf(app("last"), time.Hour, "beyond"),
	}
	for title, tc := range map[string]struct {
		allowed []string
		want    []bool
	}{
		"nothing":           {nil, []bool{false, false, false}},
		"one of a part":     {[]string{"w3"}, []bool{true, false, false}},
		"one of each":       {[]string{"w3", "w9", "beyond"}, []bool{true, true, false}}, // the policies do not ask for the last
		"all by resource":   {append(slices.Clone(windows), ""), []bool{true, true, true}},
		"of other windows":  {[]string{"w99"}, []bool{false, false, false}},
		"not asked by name": {[]string{"beyond"}, []bool{false, false, false}},
	} {
		cluster, err := clusterWith(gate)
		if err != nil {
			t.Fatal(err)
		}
		c := interceptor.NewClient(cluster.(client.WithWatch), interceptor.Funcs{
			Create: func(_ context.Context, _ client.WithWatch, object client.Object, _ ...client.CreateOption) error {
				review := object.(*authorizationv1.SelfSubjectAccessReview)
				asked := review.Spec.ResourceAttributes
				review.Status.Allowed = asked.Resource == windowsResource && asked.Verb == "override" && slices.Contains(tc.allowed, asked.Name)
				return nil
			},
		})
		o := &overrideCommand{root: &root{Streams: Streams{Out: io.Discard, Err: io.Discard}, now: func() time.Time { return now }}, reason: "x", format: format{output: "text"}}
		if err := o.complete("ns/heby"); err != nil {
			t.Fatal(err)
		}
		list, err := o.needs(t.Context(), c)
		var got []bool
		for _, n := range list {
			got = append(got, n.Have)
		}
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, %v, want %v", title, got, err, tc.want)
		}
	}
}
