package monkey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/test/cluster"
)

// Regime is how a namespace is governed: the value of the label that windows select.
type Regime string

// The regimes. Closed ones have a window that opens in months.
const (
	// Open is the twin: its window is open.
	Open Regime = "open"
	// Deny is closed for all disruptions, Default for those that a window lists unless it says otherwise.
	Deny    Regime = "deny"
	Default Regime = "default"
	// Hold is closed for all disruptions, and holds rollouts; some are held from the beginning.
	Hold Regime = "hold"
)

// Closed are the regimes in which nothing may be disturbed.
var Closed = []Regime{Deny, Default, Hold}

const (
	regimeLabel = "monkey"
	service     = "web"
	heldImage   = "app:held"
	player      = "monkey"
	// hand is who sets stages up and takes them down, whatever gates are closed.
	hand = "system:kube-controller-manager"
)

// everything is every disruption.
var everything = []v1alpha1.Disruption{
	v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown, v1alpha1.Evict,
}

// windows are the windows of the regimes at an instant.
func windows(now time.Time) []*v1alpha1.MaintenanceWindow {
	day := func(days int) string { return now.UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	window := func(regime Regime, days ...int) *v1alpha1.MaintenanceWindow {
		schedule := v1alpha1.Schedule{StartTime: new("00:00"), EndTime: new("24:00")}
		for _, d := range days {
			schedule.Dates = append(schedule.Dates, day(d))
		}
		return &v1alpha1.MaintenanceWindow{
			ObjectMeta: metav1.ObjectMeta{Name: "monkey-" + string(regime)},
			Spec: v1alpha1.MaintenanceWindowSpec{
				TimeZone: "UTC", Schedules: []v1alpha1.Schedule{schedule}, Disruptions: everything,
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{regimeLabel: string(regime)}},
			},
		}
	}
	open, deny, byDefault, hold := window(Open, -1, 0, 1), window(Deny, 200), window(Default, 200), window(Hold, 200)
	byDefault.Spec.Disruptions = nil
	hold.Spec.Enforcement = v1alpha1.Hold
	return []*v1alpha1.MaintenanceWindow{open, deny, byDefault, hold}
}

// owning lets the player write the Gate of a namespace and the Namespace itself, as the role of a tenant may that somebody has made with
// a wildcard: RBAC is not what keeps them.
var owning = &rbacv1.ClusterRole{
	ObjectMeta: metav1.ObjectMeta{Name: player + "-owns"},
	Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupName}, Resources: []string{"gates"}, Verbs: []string{"*"}},
		{APIGroups: []string{""}, Resources: []string{"namespaces"}, Verbs: []string{"get", "update", "patch"}},
	},
}

// World is a cluster to play in.
type World struct {
	cluster *cluster.Cluster
	// admin may do everything but pass a gate; the exempt one passes them too; the player is a namespace admin.
	admin, exempt, player *caller
	// stranger has no identity; the player's tokens are sent by it.
	anonymous *rest.Config
	watched   *witnesses
	ending    sync.WaitGroup
	id        string

	mu     sync.Mutex
	stages int
}

// NewWorld makes the windows and the player in a cluster where the operator runs.
func NewWorld(ctx context.Context, c *cluster.Cluster, now time.Time) (*World, error) {
	w := &World{cluster: c, id: fmt.Sprintf("%x", now.UnixNano()%(1<<24)), anonymous: rest.AnonymousClientConfig(c.Config)}
	for _, mw := range windows(now) {
		if err := c.Admin.Create(ctx, mw); err != nil {
			return nil, fmt.Errorf("creating the window %s: %w", mw.Name, err)
		}
	}
	_, config, err := c.NamespaceAdmin(ctx, player)
	if err != nil {
		return nil, err
	}
	if err := c.Admin.Create(ctx, owning); err != nil {
		return nil, fmt.Errorf("creating the ClusterRole %s: %w", owning.Name, err)
	}
	exempt := rest.CopyConfig(c.Config)
	exempt.Impersonate = rest.ImpersonationConfig{UserName: hand, Groups: []string{"system:masters"}}
	for _, identity := range []struct {
		caller **caller
		config *rest.Config
	}{{&w.admin, c.Config}, {&w.exempt, exempt}, {&w.player, config}} {
		if *identity.caller, err = newCaller(identity.config); err != nil {
			return nil, err
		}
	}
	w.watched, err = watch(ctx, c.Config)
	return w, err
}

// Close waits until the stages that were taken down are gone from the caller's hands.
func (w *World) Close() { w.ending.Wait() }

// Stage is a namespace with workloads to play with.
type Stage struct {
	Name   string
	Regime Regime

	world     *World
	witness   *witness
	token     *caller
	workloads []workload
	early     []Move
	played    Played
}

// workload is one that each stage has; pods is how many it runs.
type workload struct {
	resource, name string
	pods           int
	body           object
}

func template(app, image string) object {
	return object{
		"metadata": object{"labels": object{"app": app}},
		"spec":     object{"terminationGracePeriodSeconds": 1, "containers": []any{object{"name": "main", "image": image}}},
	}
}

func selecting(app string) object { return object{"matchLabels": object{"app": app}} }

// running is a workload with some replicas, with changes of its spec.
func running(app string, replicas int, changes ...object) object {
	body := object{"replicas": replicas, "selector": selecting(app), "template": template(app, "app:1")}
	for _, c := range changes {
		merge(body, c)
	}
	return object{"spec": body}
}

// workloads are those of each stage. A Deployment begins with one revision that never ran, so that it has something to go back to.
var workloads = []workload{
	{"apps/deployments", "web", 3, running("web", 0)},
	{"apps/deployments", "auto", 2, running("auto", 0)},
	{"apps/deployments", "late", 2, running("late", 0)},
	{"apps/statefulsets", "db", 2, running("db", 2, object{"serviceName": "db", "podManagementPolicy": "Parallel"})},
	{"apps/daemonsets", "agent", 2, running("agent", 0, object{"replicas": nil})},
	{"apps/replicasets", "bare", 2, running("bare", 2)},
	{"core/replicationcontrollers", "old", 2, running("old", 2, object{"selector": object{"app": "old", "matchLabels": nil}})},
}

// others are what else is in each stage.
var others = []workload{
	{resource: "core/services", name: service, body: object{"spec": object{
		"selector": object{"app": "web"}, "ports": []any{object{"port": 80}},
	}}},
	{resource: "autoscaling/horizontalpodautoscalers", name: "auto", body: object{"spec": object{
		"minReplicas": 1, "maxReplicas": 6, "scaleTargetRef": object{"apiVersion": "apps/v1", "kind": "Deployment", "name": "auto"},
	}}},
	{resource: "core/configmaps", name: "boss", body: object{}},
}

// named are the workloads that moves name, and web.
func named(moves []Move) []workload {
	said := strings.Join(Lines(moves), "\n")
	return slices.DeleteFunc(slices.Clone(workloads), func(w workload) bool {
		return w.name != "web" && !regexp.MustCompile(`\b`+w.name+`\b`).MatchString(said)
	})
}

// early are those of some moves that are played before a window governs, or the others.
func early(moves []Move, before bool) []Move {
	return slices.DeleteFunc(slices.Clone(moves), func(m Move) bool { return m.Early != before })
}

// copied is a deep copy.
func copied(o object) object {
	content, err := json.Marshal(o)
	if err != nil {
		panic(err) // maps of strings and numbers
	}
	var c object
	if err := json.Unmarshal(content, &c); err != nil {
		panic(err)
	}
	return c
}

// NewStage makes a namespace with workloads, web and those that some moves name, and returns when all run and the witness has seen them.
func (w *World) NewStage(ctx context.Context, regime Regime, moves []Move) (*Stage, error) {
	w.mu.Lock()
	w.stages++
	s := &Stage{
		Name: fmt.Sprintf("monkey-%s-%s-%d", regime, w.id, w.stages), Regime: regime, world: w, workloads: named(moves),
		early: early(moves, true),
	}
	s.played.Regime = regime
	w.mu.Unlock()
	s.witness = w.watched.add(s.Name)
	if err := s.setUp(ctx); err != nil {
		s.End()
		return nil, fmt.Errorf("setting up %s: %w", s.Name, err)
	}
	return s, nil
}

// put sends an object as the one who may always, and fails where it is not accepted.
func (w *World) put(ctx context.Context, c *caller, method, path, contentType string, o object) (object, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	status, answer, err := c.do(ctx, method, path, contentType, "", body)
	if err != nil {
		return nil, err
	}
	if status >= 300 {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, status, answer)
	}
	var created object
	err = json.Unmarshal(answer, &created)
	return created, err
}

func (s *Stage) setUp(ctx context.Context) error {
	w := s.world
	namespace := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": s.Name}}
	governed := object{"metadata": object{"labels": object{regimeLabel: string(s.Regime)}}}
	if len(s.early) == 0 {
		merge(namespace, governed)
	}
	if _, err := w.put(ctx, w.exempt, http.MethodPost, "/api/v1/namespaces", "application/json", namespace); err != nil {
		return err
	}
	uids, pods := map[types.UID]bool{}, 0
	var all []workload
	for _, role := range []string{"admin", owning.Name} {
		all = append(all, workload{resource: "rbac/rolebindings", name: role, body: object{
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
			"subjects": []any{object{"kind": "ServiceAccount", "namespace": "people", "name": player}},
		}})
	}
	all = slices.Concat(all, others, s.workloads)
	for _, o := range all {
		body := withName(copied(o.body), o.resource, o.name)
		merge(body, object{"metadata": object{"labels": object{"app": o.name}}})
		created, err := w.put(ctx, w.exempt, http.MethodPost, path(s.Name, o.resource, "", ""), "application/json", body)
		if err != nil {
			return err
		}
		if o.pods > 0 {
			uids[types.UID(text(created, "metadata/uid"))] = true
			pods += o.pods
		}
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	begin := func() error {
		if err := s.witness.begin(pods, 3, uids); err != nil {
			return err
		}
		return s.reported(ctx)
	}
	if err := until(ctx, 60*time.Second, begin); err != nil {
		return err
	}
	if err := until(ctx, 20*time.Second, func() error { // until the player's rights are known
		status, answer, err := w.player.do(ctx, http.MethodGet, path(s.Name, "apps/deployments", "web", ""), "", "", nil)
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d %s", status, answer)
		}
		return err
	}); err != nil {
		return err
	}
	if len(s.early) > 0 {
		s.play(ctx, s.early)
		if err := s.govern(ctx, governed); err != nil {
			return err
		}
		if err := until(ctx, 60*time.Second, begin); err != nil {
			return err
		}
	}
	if err := s.governed(ctx); err != nil {
		return err
	}
	if s.Regime == Hold {
		return s.hold(ctx)
	}
	return nil
}

// reported tells whether the status of each workload has its pods: until then the rules take it for one that has none.
func (s *Stage) reported(ctx context.Context) error {
	for _, o := range s.workloads {
		var w struct {
			Status struct{ ReadyReplicas, NumberReady int }
		}
		if err := s.read(ctx, path(s.Name, o.resource, o.name, ""), &w); err != nil {
			return err
		}
		if w.Status.ReadyReplicas+w.Status.NumberReady != o.pods {
			return fmt.Errorf("%s: %+v", o.name, w.Status)
		}
	}
	return nil
}

// govern puts the namespace under its window.
func (s *Stage) govern(ctx context.Context, labels object) error {
	_, err := s.world.put(ctx, s.world.exempt, http.MethodPatch, "/api/v1/namespaces/"+s.Name, patchTypes["merge"], labels)
	return err
}

// governed waits until the window of the namespace is in force.
func (s *Stage) governed(ctx context.Context) error {
	return until(ctx, 20*time.Second, func() error {
		if s.Regime == Open {
			return s.read(ctx, path(s.Name, "fonster/gates", v1alpha1.GateName, ""), &object{})
		}
		status, answer, err := s.world.admin.do(ctx, http.MethodDelete, path(s.Name, "apps/deployments", "web", "")+"?dryRun=All", "", "", nil)
		if err == nil && status != http.StatusForbidden {
			err = fmt.Errorf("not yet governed: %d %s", status, answer)
		}
		return err
	})
}

// play sends moves, as long as nothing is disturbed that must not be.
func (s *Stage) play(ctx context.Context, moves []Move) {
	for _, m := range moves {
		if ctx.Err() != nil || (s.Regime != Open && !s.Sound()) {
			return
		}
		request, answer, _ := s.Play(ctx, m)
		s.played.Moves = append(s.played.Moves, m)
		s.played.Requests, s.played.Answers = append(s.played.Requests, request), append(s.played.Answers, answer)
		s.witness.after(len(s.played.Moves))
		time.Sleep(time.Duration(m.Wait) * time.Millisecond)
	}
}

// start gives each Deployment its second revision, and its pods.
func (s *Stage) start(ctx context.Context) error {
	for _, o := range s.workloads {
		if o.resource != "apps/deployments" {
			continue
		}
		deployment := path(s.Name, o.resource, o.name, "")
		if err := until(ctx, 30*time.Second, func() error {
			var d object
			if err := s.read(ctx, deployment, &d); err != nil {
				return err
			}
			if text(d, "metadata/annotations/deployment.kubernetes.io~1revision") != "1" {
				return fmt.Errorf("the Deployment %s has no revision", o.name)
			}
			return nil
		}); err != nil {
			return err
		}
		change := object{"spec": object{"replicas": o.pods, "template": template(o.name, "app:2")}}
		if _, err := s.world.put(ctx, s.world.exempt, http.MethodPatch, deployment, patchTypes["merge"], change); err != nil {
			return err
		}
	}
	return nil
}

// errNotHeld says that a rollout began that was to wait: a failure like a pod that is disturbed.
var errNotHeld = errors.New("a rollout is not held")

// hold sends rollouts that must not run before the window opens.
func (s *Stage) hold(ctx context.Context) error {
	for _, o := range s.workloads {
		if o.name != "late" && o.name != "db" {
			continue
		}
		change := object{"spec": object{"template": template(o.name, heldImage)}}
		held, err := s.world.put(ctx, s.world.admin, http.MethodPatch, path(s.Name, o.resource, o.name, ""), patchTypes["merge"], change)
		if err != nil {
			return err
		}
		if text(held, "metadata/labels/maintenance.fonster.dev~1held") != "true" {
			return fmt.Errorf("%w: %s", errNotHeld, o.name)
		}
	}
	return nil
}

// End takes the stage down; the namespace goes later.
func (s *Stage) End() {
	s.world.watched.remove(s.Name)
	s.world.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_, _, _ = s.world.exempt.do(ctx, http.MethodDelete, "/api/v1/namespaces/"+s.Name, "", "", nil)
	})
}

// Sound tells whether nothing has been disturbed yet.
func (s *Stage) Sound() bool {
	breaches, _ := s.witness.seen()
	return len(breaches) == 0
}

// Settle waits until the controllers have nothing to do any more, and returns what was seen.
func (s *Stage) Settle(ctx context.Context) []Breach {
	begin := time.Now()
	for {
		breaches, last := s.witness.seen()
		now := time.Now()
		quiet := now.Sub(begin) > settleAtLeast && now.Sub(last) > settleQuiet
		if quiet || now.Sub(begin) > settleAtMost || ctx.Err() != nil || (len(breaches) > 0 && s.Regime != Open) {
			return breaches
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// An autoscaler looks each second (see Start); everything else acts at once.
const (
	settleAtLeast = 1500 * time.Millisecond
	settleQuiet   = 500 * time.Millisecond
	settleAtMost  = 8 * time.Second
)

// until tries again until do returns nil.
func until(ctx context.Context, limit time.Duration, do func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Answer is how a request was answered.
type Answer string

// The answers.
const (
	Passed    Answer = "passed"
	Refused   Answer = "refused"   // by a policy
	Forbidden Answer = "forbidden" // by RBAC
	Mistaken  Answer = "error"     // by the API server: a conflict, an invalid object, nothing there
)

// Play sends one move, and tells how it was answered.
func (s *Stage) Play(ctx context.Context, m Move) (Request, Answer, string) {
	request, err := s.request(ctx, m)
	if err != nil {
		return request, Mistaken, err.Error()
	}
	c, as := s.world.player, request.As
	if account, isToken := strings.CutPrefix(m.As, "token:"); isToken {
		if c, err = s.accountToken(ctx, account); err != nil {
			return request, Forbidden, err.Error()
		}
		as = ""
	}
	status, answer, err := c.do(ctx, request.Method, request.Path, request.ContentType, as, request.Body)
	switch {
	case err != nil:
		return request, Mistaken, err.Error()
	case status < 300:
		return request, Passed, ""
	case strings.Contains(string(answer), "AdmissionPolicy"):
		return request, Refused, string(answer)
	case status == http.StatusForbidden:
		return request, Forbidden, string(answer)
	}
	return request, Mistaken, string(answer)
}

// accountToken makes, as the player, a token of a service account of the namespace, and sends by it from then on.
func (s *Stage) accountToken(ctx context.Context, account string) (*caller, error) {
	if s.token != nil {
		return s.token, nil
	}
	tokens := path(s.Name, "core/serviceaccounts", account, "token")
	request := object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{}}
	answer, err := s.world.put(ctx, s.world.player, http.MethodPost, tokens, "application/json", request)
	if err != nil {
		return nil, err
	}
	config := rest.CopyConfig(s.world.anonymous)
	config.BearerToken = text(answer, "status/token")
	s.token, err = newCaller(config)
	return s.token, err
}
