package monkey

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"fonster.dev/fonster/api/v1alpha1"
)

// generator makes random moves from its source alone: the same seed makes the same sequence.
type generator struct {
	rng *rand.Rand
	// apps are the workloads that moves are about for a while, by their label app; without the sorts of moves that do not come then.
	apps    []string
	without map[string]bool
	recent  []target
	did     []string
	// bold is a sequence in which service accounts have rights and are used much.
	bold bool
}

// target is what a move is about; app is the label app of its pods.
type target struct{ resource, name, app string }

// Left out, each by its name, because the documents say that it cannot be gated, or that it is none of Fonster's:
//
//   - Services: what a Service selects is traffic, and no pod is touched (docs/rules.md, "Left alone"). The Service that is watched is
//     not changed; new ones are made.
//   - a Deployment that takes over a ReplicaSet without an owner: its CREATE does not tell which ReplicaSets there are. No Deployment is
//     made that selects the bare ReplicaSet's pods alone.
//   - a pod without an owner that is created with labels by which a ReplicaSet or ReplicationController takes it over: creating pods is how the
//     cluster heals, and is never looked at. The newest goes first of those that are too many, but where it runs before its controller has
//     counted, and costs more to delete. What is created has no such labels; that it is given them later is played.
//   - a StatefulSet that its user parks, by OnDelete or a partition past its last pod: it is then no longer held; the pods that there are stay, and
//     one that is started later, as by scaling up, may run the new template (docs/rules.md, "Never gated").
//   - Under the default disruptions, evictions, and fewer replicas, though not none (Move.Drains): they are a choice that a window makes.
//
// Everything that a namespace admin may do besides is played.

// Sequence makes the moves of a seed, without those that do one of the things left out.
func Sequence(seed uint64, n int, without ...string) []Move {
	g := &generator{rng: rand.New(rand.NewPCG(seed, 7))}
	g.turn()
	var moves []Move
	add := func(make func(*generator) Move) {
		g.did = nil
		m := make(g)
		m.Does = g.did
		if !slices.ContainsFunc(m.Does, func(d string) bool { return slices.Contains(without, d) }) {
			moves = append(moves, g.finish(m))
		}
	}
	if g.chance(0.2) {
		for range 1 + g.rng.IntN(3) {
			add((*generator).early)
		}
	}
	if g.bold = g.chance(0.25); g.bold {
		add((*generator).bindAccount)
	}
	for len(moves) < n {
		if g.chance(1.0 / 20) {
			g.turn()
		}
		if sort := g.sort(); !g.without[sort.name] {
			add(sort.make)
		}
	}
	return moves
}

// turn chooses one or two workloads to be busy with, and sorts of moves to do without: so they come in odd combinations.
func (g *generator) turn() {
	g.apps, g.without = []string{g.app()}, map[string]bool{}
	if g.chance(0.4) {
		g.apps = append(g.apps, g.app())
	}
	for _, sort := range sorts {
		g.without[sort.name] = sort.name != "change" && g.chance(0.35)
	}
}

func (g *generator) finish(m Move) Move {
	if m.Early || slices.Contains(m.Does, "rolebindings/create") {
		return m
	}
	if g.chance(0.05) || g.bold && g.chance(0.4) {
		m.As = one(g, "default", "default", "default", "token:default")
		if g.chance(0.1) {
			m.As = "system:serviceaccount:kube-system:deployment-controller"
		}
	}
	m.Wait = one(g, 0, 0, 0, 30, 60, 150, 300)
	if m.Verb == "apply" && !slices.ContainsFunc(m.Does, func(d string) bool { return strings.HasSuffix(d, "/replicas") }) {
		m.Drains = true // what its manager has applied before, and does not now, goes: spec.replicas too
	}
	return m
}

// early is a change of a workload's metadata, before any window governs it.
func (g *generator) early() Move {
	app := g.label()
	resource := resourceOf[app]
	name := one(g, "notes", "notes", "marks", "annotate", "finalize")
	g.doing(short(resource) + "/" + name)
	change := mutators[resource][name](g, target{resource, app, app})
	return Move{Verb: "merge", Resource: resource, Name: app, Body: []object{change}, Early: true}
}

func (g *generator) chance(p float64) bool { return g.rng.Float64() < p }

func one[T any](g *generator, of ...T) T { return of[g.rng.IntN(len(of))] }

func (g *generator) doing(what string) { g.did = append(g.did, what) }

func (g *generator) app() string {
	return one(g, "web", "web", "web", "web", "auto", "late", "late", "db", "db", "agent", "bare", "bare", "old")
}

// label is the label app of some workload: mostly one that the sequence is about.
func (g *generator) label() string {
	if g.chance(0.1) {
		return g.app()
	}
	return one(g, g.apps...)
}

// sort is a sort of moves.
type sort struct {
	name   string
	weight int
	make   func(*generator) Move
}

// sorts are all of them.
var sorts = []sort{
	{"change", 40, (*generator).change},
	{"scale", 8, (*generator).scale},
	{"create-replicaset", 12, (*generator).createReplicaSet},
	{"create-pod", 6, (*generator).createPod},
	{"create-workload", 4, (*generator).createWorkload},
	{"create-job", 2, (*generator).createJob},
	{"create-owner", 2, (*generator).createOwner},
	{"autoscaler", 4, (*generator).autoscaler},
	{"budget", 1, (*generator).budget},
	{"service", 1, (*generator).service},
	{"bind-account", 3, (*generator).bindAccount},
	{"evict", 2, (*generator).evict},
	{"delete", 6, (*generator).remove},
	{"delete-collection", 2, (*generator).removeCollection},
	{"create-revision", 1, (*generator).createRevision},
	{"gate", 2, (*generator).gate},
	{"namespace", 2, (*generator).namespace},
	{"forbidden", 1, (*generator).forbidden},
}

func (g *generator) sort() sort {
	total := 0
	for _, s := range sorts {
		total += s.weight
	}
	n := g.rng.IntN(total)
	for _, s := range sorts {
		if n -= s.weight; n < 0 {
			return s
		}
	}
	panic("unreachable")
}

var resourceOf = map[string]string{
	"web": "apps/deployments", "auto": "apps/deployments", "late": "apps/deployments", "db": "apps/statefulsets", "agent": "apps/daemonsets",
	"bare": "apps/replicasets", "old": "core/replicationcontrollers",
}

// replicasOf is how many pods a workload has at the beginning.
func replicasOf(app string) int {
	for _, w := range workloads {
		if w.name == app {
			return w.pods
		}
	}
	return 0
}

// aim chooses what a change is about: often what was touched before.
func (g *generator) aim() target {
	if len(g.recent) > 0 && g.chance(0.4) {
		return one(g, g.recent...)
	}
	app := g.label()
	t := target{resourceOf[app], app, app}
	switch {
	case g.chance(0.2):
		t = target{"core/pods", fmt.Sprintf("pod:%s:%d", app, g.rng.IntN(3)), app}
	case t.resource == "apps/deployments" && g.chance(0.4):
		t = target{"apps/replicasets", fmt.Sprintf("rs:%s:%d", app, g.rng.IntN(3)), app}
	case (app == "db" || app == "agent") && g.chance(0.1):
		t = target{"apps/controllerrevisions", fmt.Sprintf("rev:%s:%d", app, g.rng.IntN(2)), app}
	case g.chance(0.03):
		t = target{"autoscaling/horizontalpodautoscalers", "auto", "auto"}
	}
	g.touched(t)
	return t
}

func (g *generator) touched(t target) {
	g.recent = append(g.recent, t)
	g.recent = g.recent[max(0, len(g.recent)-4):]
}

// change is a change of some fields of an object, by one way of writing.
func (g *generator) change() Move {
	t := g.aim()
	m := Move{Verb: one(g, "merge", "merge", "strategic", "json", "update", "apply"), Resource: t.resource, Name: t.name}
	for range one(g, 1, 1, 1, 2, 2, 3) {
		possible := mutators[t.resource]
		if possible == nil {
			possible = mutators["any"]
		}
		names := slices.Sorted(maps.Keys(possible))
		name := one(g, names...)
		g.doing(short(t.resource) + "/" + name)
		part := possible[name](g, t)
		m.Body = append(m.Body, part)
		if replicas, found := field(part, "spec/replicas"); found {
			m.Drains = m.Drains || drains(replicas)
		}
		if highest, found := field(part, "spec/maxReplicas"); found {
			m.Drains = m.Drains || drains(highest)
		}
	}
	if m.Verb == "apply" {
		m.Manager = one(g, "kubectl", "kubectl-client-side-apply", "kube-controller-manager", "fonster")
	}
	return m
}

// drains tells whether some number of replicas may be fewer than there are, though not none.
func drains(replicas any) bool {
	n, isNumber := replicas.(int)
	return isNumber && n > 0 && n < many
}

// many is more replicas than anything has.
const many = 7

func short(resource string) string { return resource[strings.Index(resource, "/")+1:] }

func (g *generator) scale() Move {
	t := g.aim()
	for t.resource == "core/pods" || t.resource == "apps/daemonsets" || t.resource == "apps/controllerrevisions" ||
		strings.HasPrefix(t.resource, "autoscaling") {
		t = target{resourceOf["web"], "web", "web"}
		g.touched(t)
	}
	n := g.replicas(t)
	g.doing(short(t.resource) + "/scale")
	return Move{
		Verb: one(g, "merge", "update", "json"), Resource: t.resource, Name: t.name, Subresource: "scale",
		Body: []object{spec("replicas", n)}, Drains: drains(n),
	}
}

func (g *generator) replicas(t target) int {
	return one(g, 0, 1, replicasOf(t.app), replicasOf(t.app), 4, many, many)
}

func (g *generator) createReplicaSet() Move {
	app := g.label()
	name := one(g, "rs-a", "rs-b", "rs-c", "rs-d")
	g.touched(target{"apps/replicasets", name, app})
	g.doing("replicasets/create")
	labels := object{"app": app}
	if g.chance(0.6) {
		labels["pod-template-hash"] = g.hash(app)
	}
	template := object{"metadata": object{"labels": labels}, "spec": g.podSpec(app)}
	body := object{
		"metadata": object{"labels": labels, "annotations": g.setAnnotations()},
		"spec":     object{"replicas": one(g, 0, 0, 1, replicasOf(app), many), "selector": object{"matchLabels": labels}, "template": template},
	}
	if g.chance(0.2) {
		body["metadata"].(object)["ownerReferences"] = g.owners()
	}
	return Move{Verb: one(g, "create", "create", "apply"), Resource: "apps/replicasets", Name: name, Manager: "kubectl", Body: []object{body}}
}

// podSpec is the specification of a workload's pods, or one of its revisions', or another.
func (g *generator) podSpec(app string) any {
	switch {
	case g.chance(0.5):
		return fmt.Sprintf("$(of %s %s spec/template/spec)", resourceOf[app], app)
	case resourceOf[app] == "apps/deployments" && g.chance(0.5):
		return fmt.Sprintf("$(of apps/replicasets rs:%s:%d spec/template/spec)", app, g.rng.IntN(2))
	}
	return object{"containers": []any{object{"name": "main", "image": g.image()}}}
}

func (g *generator) image() string { return one(g, "app:1", "app:2", "app:3", "app:9") }

func (g *generator) hash(app string) string {
	if g.chance(0.3) {
		return fmt.Sprintf("$(of apps/replicasets rs:%s:%d metadata/labels/pod-template-hash)", app, g.rng.IntN(2))
	}
	return one(g, "77", "zero")
}

func (g *generator) createPod() Move {
	app := g.label()
	name := one(g, "p-a", "p-b", "p-c", "p-d")
	g.touched(target{"core/pods", name, app})
	g.doing("pods/create")
	labels := object{"mine": "yes"}
	if g.chance(0.5) && app != "bare" && app != "old" { // left out, see above
		labels["app"] = app
	}
	if g.chance(0.3) {
		labels["pod-template-hash"] = one(g, "77", "zero")
	}
	spec := object{"containers": []any{object{"name": "main", "image": "app:1"}}}
	if g.chance(0.3) {
		spec["nodeName"] = one(g, "node-1", "node-2")
	}
	body := object{"metadata": object{"labels": labels}, "spec": spec}
	if g.chance(0.5) {
		body["metadata"].(object)["annotations"] = object{"controller.kubernetes.io/pod-deletion-cost": one(g, "1000", "-1000")}
	}
	return Move{Verb: "create", Resource: "core/pods", Name: name, Body: []object{body}}
}

// createWorkload makes one that selects the pods of another.
func (g *generator) createWorkload() Move {
	app := g.label()
	resource := one(g, "apps/deployments", "apps/statefulsets", "apps/daemonsets", "core/replicationcontrollers")
	if resource == "apps/deployments" && app == "bare" { // left out, see above
		app = "web"
	}
	g.touched(target{resource, "new", app})
	g.doing(short(resource) + "/create")
	template := template(app, g.image())
	spec := object{"replicas": one(g, 0, 0, 1, replicasOf(app)), "selector": selecting(app), "template": template}
	switch resource {
	case "core/replicationcontrollers":
		spec["selector"] = object{"app": app}
	case "apps/daemonsets":
		delete(spec, "replicas")
	case "apps/statefulsets":
		spec["serviceName"] = "db"
	}
	return Move{Verb: "create", Resource: resource, Name: "new", Body: []object{{"spec": spec}}}
}

func (g *generator) createJob() Move {
	app := g.label()
	g.doing("jobs/create")
	template := template(app, "app:1")
	template["spec"].(object)["restartPolicy"] = "Never"
	return Move{Verb: "create", Resource: "batch/jobs", Name: "job", Body: []object{{"spec": object{
		"manualSelector": true, "selector": selecting(app), "template": template, "parallelism": one(g, 0, 1, 3), "suspend": g.chance(0.5),
		"ttlSecondsAfterFinished": 0, "activeDeadlineSeconds": 1,
	}}}}
}

func (g *generator) createOwner() Move {
	g.doing("configmaps/create")
	return Move{Verb: "create", Resource: "core/configmaps", Name: "cm", Body: []object{{}}}
}

func (g *generator) autoscaler() Move {
	app := g.label()
	resource, name, of := resourceOf[app], app, ""
	if resource == "apps/deployments" && g.chance(0.3) {
		resource, name, of = "apps/replicasets", fmt.Sprintf("$(name rs:%s:%d)", app, g.rng.IntN(2)), "-of-deployments"
	}
	highest := one(g, 1, 1, 2, many)
	g.doing("horizontalpodautoscalers/create-for-" + short(resource) + of)
	return Move{
		Verb: one(g, "create", "apply"), Resource: "autoscaling/horizontalpodautoscalers", Name: one(g, "hpa-a", "hpa-b"), Manager: "kubectl",
		// An autoscaler of a Deployment's ReplicaSet fights with the Deployment: that is a rollout without end.
		Drains: drains(highest) && of == "",
		Body:   []object{{"spec": object{"minReplicas": 1, "maxReplicas": highest, "scaleTargetRef": reference(resource, name)}}},
	}
}

// reference names an object as others refer to it.
func reference(resource, name string) object {
	return object{"apiVersion": kinds[resource].api, "kind": kinds[resource].kind, "name": name}
}

func (g *generator) budget() Move {
	g.doing("poddisruptionbudgets/create")
	return Move{Verb: "create", Resource: "policy/poddisruptionbudgets", Name: "pdb", Body: []object{{"spec": object{
		"maxUnavailable": "100%", "selector": selecting(g.label()), "unhealthyPodEvictionPolicy": "AlwaysAllow",
	}}}}
}

func (g *generator) service() Move {
	g.doing("services/create")
	return Move{Verb: "create", Resource: "core/services", Name: "another", Body: []object{{
		"spec": object{"selector": object{"app": g.label()}, "ports": []any{object{"port": 80}}},
	}}}
}

func (g *generator) bindAccount() Move {
	g.doing("rolebindings/create")
	return Move{Verb: "create", Resource: "rbac/rolebindings", Name: one(g, "sa-edit", "sa-edit-too"), Body: []object{{
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": one(g, "edit", "admin")},
		"subjects": []any{object{"kind": "ServiceAccount", "namespace": "$(namespace)", "name": "default"}},
	}}}
}

func (g *generator) evict() Move {
	g.doing("pods/evict")
	name := fmt.Sprintf("pod:%s:%d", g.label(), g.rng.IntN(3))
	return Move{Verb: "create", Resource: "core/pods", Name: name, Subresource: "eviction", Drains: true, Body: []object{{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": object{"name": "$(name " + name + ")"},
	}}}
}

func (g *generator) remove() Move {
	t := g.aim()
	if g.chance(0.4) {
		t = one(g, target{"core/configmaps", "cm", ""}, target{"core/configmaps", "boss", ""}, target{"batch/jobs", "job", ""},
			target{"autoscaling/horizontalpodautoscalers", "auto", ""}, target{"autoscaling/horizontalpodautoscalers", "hpa-a", ""},
			target{"core/serviceaccounts", "default", ""})
	}
	g.doing(short(t.resource) + "/delete")
	return Move{Verb: "delete", Resource: t.resource, Name: t.name, Body: []object{g.deleteOptions()}}
}

func (g *generator) removeCollection() Move {
	resource := one(g, "core/pods", "apps/replicasets", "apps/deployments", "apps/statefulsets", "apps/daemonsets",
		"core/replicationcontrollers")
	g.doing(short(resource) + "/deletecollection")
	return Move{Verb: "deletecollection", Resource: resource, Selector: "app=" + g.label(), Body: []object{g.deleteOptions()}}
}

func (g *generator) deleteOptions() object {
	return one(g, object{}, object{"propagationPolicy": "Orphan"}, object{"propagationPolicy": "Foreground"}, object{"gracePeriodSeconds": 0})
}

// createRevision copies a revision; a namespace admin has no right to, yet.
func (g *generator) createRevision() Move {
	app := one(g, "db", "agent")
	of := func(path string) string { return fmt.Sprintf("$(of apps/controllerrevisions rev:%s:0 %s)", app, path) }
	g.doing("controllerrevisions/create")
	return Move{Verb: "create", Resource: "apps/controllerrevisions", Name: "clone", Body: []object{{
		"metadata": object{"labels": of("metadata/labels")}, "data": of("data"), "revision": 99,
	}}}
}

// gate is a write to the Gate of the namespace, which it takes from the operator alone.
func (g *generator) gate() Move {
	const resource = "fonster/gates"
	opened := object{"spec": object{"targets": []any{object{"disruptions": []any{"Rollout", "Delete", "ScaleDown", "Evict"}, "enforcement": "Warn", "open": true}}}}
	m := Move{Resource: resource, Name: v1alpha1.GateName, Manager: "fonster"}
	switch what := one(g, "open", "open", "exempt", "mark", "owner", "create", "delete", "deletecollection"); what {
	case "delete", "deletecollection":
		m.Verb, m.Body = what, []object{g.deleteOptions()}
		if what == "deletecollection" {
			m.Name = ""
		}
		g.doing("gates/" + what)
	case "create":
		m.Verb, m.Body = "create", []object{opened}
		g.doing("gates/create")
	default:
		change := map[string]object{
			"open":   opened,
			"exempt": {"spec": object{"exempt": object{"users": []any{"system:serviceaccount:people:" + player}, "groups": []any{"system:authenticated"}}}},
			"mark":   labelled(object{prefix + "refuses": nil, prefix + "holds": nil}),
			"owner":  {"metadata": object{"ownerReferences": g.owners()}},
		}[what]
		m.Verb, m.Body = one(g, "merge", "update", "json", "apply"), []object{change}
		g.doing("gates/" + what)
	}
	return m
}

// namespace is a write to the Namespace itself: the label by which policies look at it, the one by which a window selects it, or an
// override.
func (g *generator) namespace() Move {
	m := Move{Verb: one(g, "merge", "strategic", "json", "update"), Resource: "core/namespaces"}
	switch g.rng.IntN(4) {
	case 0:
		g.doing("namespaces/annotate")
		m.Body = []object{{"metadata": g.overrideNotes()}}
	case 1:
		g.doing("namespaces/relabel")
		m.Body = []object{labelled(object{regimeLabel: one[any](g, nil, "none", string(Open))})}
	default:
		g.doing("namespaces/gated")
		m.Body = []object{labelled(object{prefix + "gated": one[any](g, nil, "false", "")})}
	}
	return m
}

// forbidden is what a namespace admin has no right to.
func (g *generator) forbidden() Move {
	if g.rng.IntN(2) == 0 {
		g.doing("deployments/status")
		return Move{
			Verb: "merge", Resource: "apps/deployments", Name: "web", Subresource: "status", Body: []object{{"status": object{"replicas": 0}}},
		}
	}
	g.doing("pods/status")
	return Move{
		Verb: "merge", Resource: "core/pods", Name: "pod:web:0", Subresource: "status", Body: []object{{"status": object{"phase": "Failed"}}},
	}
}
