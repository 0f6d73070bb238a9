package monkey

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestReduce: of many moves those stay without which nothing fails, in their order.
func TestReduce(t *testing.T) {
	var all []int
	for i := range 50 {
		all = append(all, i)
	}
	for _, needed := range [][]int{{0}, {49}, {17}, {3, 4}, {0, 25, 49}, {7, 8, 9, 30, 31}} {
		tried := 0
		shortest := reduce(all, func(sequences [][]int) int {
			tried += len(sequences)
			return slices.IndexFunc(sequences, func(s []int) bool {
				return !slices.ContainsFunc(needed, func(n int) bool { return !slices.Contains(s, n) })
			})
		})
		if !slices.Equal(shortest, needed) {
			t.Errorf("of what needs %v, %v is left", needed, shortest)
		}
		if tried > 250 {
			t.Errorf("%v: %d sequences were tried", needed, tried)
		}
	}
}

// TestSequence: a seed always makes the same moves, others make others, and every change comes up.
func TestSequence(t *testing.T) {
	if !reflect.DeepEqual(Sequence(1, 40), Sequence(1, 40)) {
		t.Error("one seed made two sequences")
	}
	if reflect.DeepEqual(Sequence(1, 40), Sequence(2, 40)) {
		t.Error("two seeds made one sequence")
	}
	done := map[string]bool{}
	for seed := range uint64(400) {
		for _, m := range Sequence(seed, 40) {
			for _, does := range m.Does {
				done[does] = true
			}
			if m.Verb == "" || kinds[m.Resource].kind == "" {
				t.Fatalf("seed %d: %+v", seed, m)
			}
		}
	}
	for resource, possible := range mutators {
		for _, name := range slices.Sorted(maps.Keys(possible)) {
			if resource != "any" && !done[short(resource)+"/"+name] {
				t.Errorf("%s/%s never comes up", short(resource), name)
			}
		}
	}
	for _, m := range Sequence(3, 200, "deployments/rollback") {
		if slices.Contains(m.Does, "deployments/rollback") {
			t.Error("a move came up that was left out")
		}
	}
}

// TestLines: what is printed is read again.
func TestLines(t *testing.T) {
	moves := Sequence(5, 60)
	read, err := ParseLines("monkey found 1: seed 5\n" + "monkey   " + strings.Join(Lines(moves), "\nmonkey   ") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(Lines(moves), Lines(read)) {
		t.Errorf("read\n%s\nwant\n%s", Lines(read), Lines(moves))
	}
}

// TestPatches: an update and a JSON patch do what the merge patch does that they are made from.
func TestPatches(t *testing.T) {
	for _, test := range []struct{ before, patch, after, operations string }{
		{`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`, `[{"op":"add","path":"/b","value":2}]`},
		{`{"a":1}`, `{"a":null,"c":null}`, `{}`, `[{"op":"remove","path":"/a"}]`},
		{`{"m":{"l":{"x":"1"}}}`, `{"m":{"l":{"p/q":"2"}}}`, `{"m":{"l":{"p/q":"2","x":"1"}}}`, `[{"op":"add","path":"/m/l/p~1q","value":"2"}]`},
		{`{"m":{}}`, `{"m":{"l":{"x":"1","y":null}}}`, `{"m":{"l":{"x":"1"}}}`, `[{"op":"add","path":"/m/l","value":{"x":"1"}}]`},
	} {
		var before, patch object
		if json.Unmarshal([]byte(test.before), &before) != nil || json.Unmarshal([]byte(test.patch), &patch) != nil {
			t.Fatal(test)
		}
		operations, _ := json.Marshal(jsonPatch(before, patch, ""))
		after, _ := json.Marshal(merge(before, patch))
		if string(after) != test.after || string(operations) != test.operations {
			t.Errorf("%s with %s: %s, %s", test.before, test.patch, after, operations)
		}
	}
}

func pod(name, image string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "db", Controller: new(true)},
		}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func behind(pods ...string) *discoveryv1.EndpointSlice {
	labels := map[string]string{discoveryv1.LabelServiceName: service}
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: "slice", Labels: labels}}
	for _, p := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{UID: types.UID(p)}})
	}
	return s
}

// TestWitness: each way in which a pod is disturbed is told, and what disturbs none is not.
func TestWitness(t *testing.T) {
	for name, test := range map[string]struct {
		seen any
		gone bool
		want string
	}{
		"nothing":     {seen: pod("a", "app:1")},
		"a label":     {seen: pod("a", "app:1", func(p *corev1.Pod) { p.Labels = map[string]string{"note": "1"} })},
		"another pod": {seen: pod("c", "app:1"), gone: true},
		"gone":        {seen: pod("a", "app:1"), gone: true, want: "was deleted"},
		"terminating": {seen: pod("a", "app:1", func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Now()) }), want: "was deleted"},
		"unready":     {seen: pod("a", "app:1", func(p *corev1.Pod) { p.Status.Conditions = nil }), want: "is not ready any more"},
		"ended":       {seen: pod("a", "app:1", func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), want: "has ended"},
		"deadline": {
			seen: pod("a", "app:1", func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(1)) }), want: "was given a deadline",
		},
		"image":           {seen: pod("a", "app:2"), want: "was given another image"},
		"behind":          {seen: behind("c", "a")},
		"no longer there": {seen: behind("c"), want: "lost its place behind the Service"},
		"held":            {seen: pod("c", heldImage), want: "runs what is held"},
		"somebody else's": {seen: pod("c", heldImage, func(p *corev1.Pod) { p.OwnerReferences = nil })},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWitness()
			w.see(pod("a", "app:1"), false)
			w.see(pod("b", "app:1"), false)
			if w.begin(2, 1, nil) == nil {
				t.Fatal("it began without the Service")
			}
			w.see(behind("a"), false)
			if err := w.begin(2, 1, map[types.UID]bool{"db": true}); err != nil {
				t.Fatal(err)
			}
			w.after(4)
			w.see(test.seen, test.gone)
			w.see(test.seen, test.gone)
			breaches, _ := w.seen()
			switch {
			case test.want == "" && len(breaches) > 0:
				t.Errorf("told: %v", breaches)
			case test.want != "" && (len(breaches) != 1 || breaches[0].What != test.want || breaches[0].After != 4):
				t.Errorf("told %v, want: %s", breaches, test.want)
			}
		})
	}
}

// TestKnown: what is known to fail is taken out of a sequence, and nothing else.
func TestKnown(t *testing.T) {
	pause := Move{Does: []string{"deployments/pause", "deployments/template"}, Resource: "apps/deployments", Name: "web"}
	scale := Move{Does: []string{"replicasets/scale"}, Resource: "apps/replicasets", Name: "rs:web:0"}
	bare := Move{Does: []string{"replicasets/scale"}, Resource: "apps/replicasets", Name: "bare"}
	other := Move{Does: []string{"deployments/pause"}, Resource: "apps/deployments", Name: "late"}
	for _, test := range []struct{ moves, known, want []Move }{
		{[]Move{pause, scale, bare}, []Move{pause, scale}, []Move{pause, bare}},
		{[]Move{pause, scale, bare}, []Move{other, scale}, []Move{pause, bare}},
		{[]Move{other, scale, bare}, []Move{pause, scale}, []Move{other, scale, bare}},
		{[]Move{scale, bare, scale}, []Move{scale}, []Move{bare}},
	} {
		if got := strip(test.moves, test.known); !reflect.DeepEqual(got, test.want) {
			t.Errorf("of %s, %s is left", Signature(test.moves), Signature(got))
		}
	}
	ends := suffixes([]Move{{Name: "a", Early: true}, {Name: "b"}, {Name: "c"}, {Name: "d"}})
	if len(ends) != 4 || len(ends[0]) != 2 || ends[0][0].Name != "a" || ends[0][1].Name != "d" || len(ends[1]) != 3 || len(ends[3]) != 4 {
		t.Errorf("the ends are %v", ends)
	}
	if got := named([]Move{{Resource: "apps/statefulsets", Name: "db"}, {Name: "pod:old:1", Body: []object{{"template": "x"}}}}); len(got) != 3 {
		t.Errorf("named are %v", got)
	}
}
