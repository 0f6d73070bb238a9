package e2e

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// town is a namespace in which an ordinary hour passes, with the people and programs that ask there as themselves.
type town struct {
	ns    string
	admin *tenant
	web   *appsv1.Deployment
	db    *appsv1.StatefulSet
	agent *appsv1.DaemonSet
	// rolls: a window is open, or none governs; held: a rollout is held.
	rolls, held bool
}

// TestOrdinaryHour: what happens in an ordinary cluster in an hour, in closed, holding, open and ungoverned namespaces, is refused
// nowhere but where it should be.
func TestOrdinaryHour(t *testing.T) {
	towns := []*town{
		{ns: "ordinary-closed"}, {ns: "ordinary-hold", held: true}, {ns: "ordinary-open", rolls: true}, {ns: "ordinary-free", rolls: true},
	}
	foundTowns(t, towns)
	window(t, "ordinary-closed", "ordinary-closed", nextYear(), butEvict)
	window(t, "ordinary-hold", "ordinary-hold", nextYear(), hold, butEvict)
	window(t, "ordinary-open", "ordinary-open", always(), everything)
	refused, logged, before := denied(t), controllerRefusals(t), requestsAnswered(t)

	for round := range 2 { // what is done once is often done twice
		t.Run(fmt.Sprintf("hour-%d", round), func(t *testing.T) {
			for _, town := range towns {
				t.Run(town.ns, func(t *testing.T) {
					t.Parallel()
					town.lives(t)
				})
			}
		})
		drains(t, towns)
	}
	for _, town := range towns {
		town.hasWorked(t)
	}

	wrong := denied(t) - refused
	after := requestsAnswered(t)
	total, verbs := 0, []string{}
	for _, verb := range slices.Sorted(maps.Keys(after)) {
		total += after[verb] - before[verb]
		verbs = append(verbs, fmt.Sprintf("%d %s", after[verb]-before[verb], verb))
	}
	lines := controllerRefusals(t)[len(logged):]
	all := len(lines)
	// kwok deletes a pod by its name alone, also when a StatefulSet has given that to another by then. A kubelet names the UID.
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "failed to delete pod db-") })
	if wrong -= all - len(lines); wrong != 0 {
		t.Errorf("%d requests of an ordinary hour were refused", wrong)
	}
	if len(lines) > 0 {
		t.Errorf("controllers were refused:\n%s", strings.Join(lines, "\n"))
	}
	right := refusesStill(t, towns)
	if denied(t)-refused < right {
		t.Errorf("the API server has counted %d refusals of %d: its metric is another one now", denied(t)-refused, right)
	}
	fmt.Printf("probe ordinary hour: %d requests, by verbs %s, %d wrong refusals; %d disruptive ones refused\n",
		total, strings.Join(verbs, ", "), wrong, right)
}

// butEvict governs all but evictions: nodes are drained at any time.
func butEvict(mw *v1alpha1.MaintenanceWindow) {
	mw.Spec.Disruptions = []v1alpha1.Disruption{v1alpha1.Rollout, v1alpha1.Delete, v1alpha1.ScaleDown}
}

// foundTowns makes the namespaces, with what runs in them before any window exists.
func foundTowns(t *testing.T, towns []*town) {
	for _, town := range towns {
		namespace(t, town.ns)
		town.web = deployment(t, town.ns, "web", 3)
		town.db = &appsv1.StatefulSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: town.ns, Name: "db"},
			Spec: appsv1.StatefulSetSpec{
				Replicas: new(int32(2)), Selector: selector("db"), Template: template("db", "app:1"), RevisionHistoryLimit: new(int32(1)),
			},
		}
		town.agent = &appsv1.DaemonSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: town.ns, Name: "agent"},
			Spec:       appsv1.DaemonSetSpec{Selector: selector("agent"), Template: template("agent", "app:1")},
		}
		create(t, town.db)
		create(t, town.agent)
		create(t, &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: metav1.ObjectMeta{Namespace: town.ns, Name: "web"},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"},
				MinReplicas:    new(int32(2)), MaxReplicas: 8,
			},
		})
		town.admin = newTenant(t, "ordinary", town.ns)
	}
}

// lives lets an hour pass.
func (o *town) lives(t *testing.T) {
	o.schedules(t)
	o.releases(t)
	o.scales(t)
	o.heals(t)
	o.elects(t)
	o.rotates(t)
	o.annotates(t)
	o.rollsOut(t)
}

// schedules: a CronJob, whose Jobs begin, end and go by themselves.
func (o *town) schedules(t *testing.T) {
	job := batchv1.JobSpec{TTLSecondsAfterFinished: new(int32(1)), Template: template("nightly", "job:1")}
	job.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	wantPassed(t, client.IgnoreAlreadyExists(o.admin.Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "nightly"},
		Spec:       batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: job}},
	})))
}

// chart is what Helm installs; it has a hook.
const chart = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: shop, labels: {app.kubernetes.io/managed-by: Helm, helm.sh/chart: shop-VERSION}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop, labels: {helm.sh/chart: shop-VERSION}}
data: {key: value}
---
apiVersion: v1
kind: Service
metadata: {name: shop, labels: {helm.sh/chart: shop-VERSION}}
spec: {selector: {app: shop}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {helm.sh/chart: shop-VERSION}, annotations: {meta.helm.sh/release-name: shop}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {serviceAccountName: shop, containers: [{name: main, image: "shop:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: shop, labels: {helm.sh/chart: shop-VERSION}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: shop}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, labels: {helm.sh/chart: shop-VERSION}, annotations: {cert-manager.io/cluster-issuer: letsencrypt}}
spec: {tls: [{hosts: [shop.example.com], secretName: shop-tls}], defaultBackend: {service: {name: shop, port: {number: 80}}}}
`

// chartHook is a Job that Helm deletes, as it does before the next, and creates.
const chartHook = `
apiVersion: batch/v1
kind: Job
metadata: {name: shop-migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}}
spec:
  template:
    metadata: {labels: {app: shop-migrate}}
    spec: {restartPolicy: Never, containers: [{name: main, image: "job:1"}]}
`

// releases: helm install or upgrade without another template, with its hook and its Secret; then the same by GitOps, with its tracking.
func (o *town) releases(t *testing.T) {
	kubectl := func(stdin string, args ...string) {
		t.Helper()
		if out, err := shared.KubectlAs(o.admin.kubeconfig, stdin, append([]string{"-n", o.ns}, args...)...); err != nil {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for i := range 2 {
		version := strconv.FormatInt(time.Now().UnixNano(), 10)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "sh.helm.release.v1.shop.v" + version}, Type: "helm.sh/release.v1"}
		wantPassed(t, o.admin.Create(t.Context(), secret))
		kubectl("", "delete", "job", "shop-migrate", "--ignore-not-found")
		kubectl(chartHook, "create", "-f", "-")
		kubectl("", "wait", "--for=condition=Complete", "job/shop-migrate", "--timeout=60s")
		kubectl(strings.ReplaceAll(chart, "VERSION", strconv.Itoa(i)), "apply", "-f", "-")
		if i > 0 {
			wantPassed(t, o.admin.Delete(t.Context(), secret))
		}
	}
	tracked := strings.ReplaceAll(chart, "annotations: {", "annotations: {argocd.argoproj.io/tracking-id: shop, kustomize.toolkit.fluxcd.io/name: shop, ")
	for range 2 {
		kubectl(strings.ReplaceAll(tracked, "VERSION", "1"), "apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")
	}
	kubectl("", "rollout", "status", "deployment/shop", "--timeout=60s")
}

// scales: the autoscaler within its bounds, and people upwards.
func (o *town) scales(t *testing.T) {
	autoscaler := as(t, "system:serviceaccount:kube-system:horizontal-pod-autoscaler")
	for _, n := range []int32{5, 4, 3} {
		wantPassed(t, scaleAgain(t, autoscaler, o.web, n))
		wantReplicas(t, o.web, n)
	}
	get(t, o.db)
	wantPassed(t, scaleAgain(t, o.admin, o.db, *o.db.Spec.Replicas+1))
	o.settles(t)
}

// scaleAgain asks for replicas, again where a controller wrote meanwhile.
func scaleAgain(t *testing.T, c client.Client, o client.Object, n int32) error {
	return retry.OnError(retry.DefaultBackoff, apierrors.IsConflict, func() error { return scaleTo(n)(t.Context(), c, o) })
}

// settles waits until everything runs again, and nothing else does.
func (o *town) settles(t *testing.T) {
	t.Helper()
	for _, object := range []client.Object{o.web, o.db, o.agent} {
		eventually(t, 2*time.Minute, func() error {
			if err := isSettled(t.Context(), object); err != nil {
				return err
			}
			want := o.agent.Status.DesiredNumberScheduled
			switch w := object.(type) {
			case *appsv1.Deployment:
				want = *w.Spec.Replicas
			case *appsv1.StatefulSet:
				want = *w.Spec.Replicas
			}
			pods := o.pods(t, object.GetName())
			ends := func(p corev1.Pod) bool { return p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil }
			if len(pods) != int(want) || slices.ContainsFunc(pods, ends) {
				return fmt.Errorf("%s: not %d pods that run: %d in all", object.GetName(), want, len(pods))
			}
			return nil
		})
	}
}

// pods lists those of a workload.
func (o *town) pods(t *testing.T, app string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	wantPassed(t, shared.Admin.List(t.Context(), &list, client.InNamespace(o.ns), client.MatchingLabels{"app": app}))
	return list.Items
}

// heals: a pod fails, and its kubelet tells and deletes it.
func (o *town) heals(t *testing.T) {
	for _, app := range []string{"web", "db", "agent"} {
		pod := &o.pods(t, app)[0]
		kubelet := as(t, "system:node:"+pod.Spec.NodeName, "system:nodes")
		failed := mergePatch(`{"status":{"phase":"Failed","reason":"Evicted","message":"The node was low on resource: memory."}}`)
		wantPassed(t, kubelet.Status().Patch(t.Context(), pod, failed))
		wantPassed(t, client.IgnoreNotFound(kubelet.Delete(t.Context(), pod, client.GracePeriodSeconds(0))))
	}
	o.settles(t)
}

// elects: leaders renew their leases, and a database marks its leader.
func (o *town) elects(t *testing.T) {
	own := as(t, "system:serviceaccount:"+o.ns+":default")
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "leader"}}
	wantPassed(t, client.IgnoreAlreadyExists(own.Create(t.Context(), lease)))
	for i := range 30 {
		now := time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		wantPassed(t, own.Patch(t.Context(), lease, mergePatch(`{"spec":{"holderIdentity":"web-%d","renewTime":%q}}`, i%2, now)))
	}
	for i, role := range []string{"master", "replica", "master"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: fmt.Sprintf("db-%d", i%2)}}
		wantPassed(t, own.Patch(t.Context(), pod, mergePatch(`{"metadata":{"labels":{"role":%q},"annotations":{"status":"{}"}}}`, role)))
	}
}

// rotates: certificates, tokens, configuration, budgets, events.
func (o *town) rotates(t *testing.T) {
	certManager := as(t, "system:serviceaccount:cert-manager:cert-manager")
	tls := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "shop-tls"},
		Type:       corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": {}, "tls.key": {}},
	}
	wantPassed(t, client.IgnoreAlreadyExists(certManager.Create(t.Context(), tls)))
	wantPassed(t, certManager.Patch(t.Context(), tls,
		mergePatch(`{"metadata":{"annotations":{"cert-manager.io/certificate-name":"shop","rotated":%q}},"data":{"tls.crt":"eA=="}}`, time.Now().String())))
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "shop"}}
	wantPassed(t, o.admin.Patch(t.Context(), config, mergePatch(`{"data":{"at":%q}}`, time.Now().String())))
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "shop"}}
	for _, n := range []int{2, 1} {
		wantPassed(t, o.admin.Patch(t.Context(), budget, mergePatch(`{"spec":{"maxUnavailable":%d}}`, n)))
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "shop"}}
	for range 10 {
		wantPassed(t, o.admin.SubResource("token").Create(t.Context(), account, &authenticationv1.TokenRequest{}))
		wantPassed(t, o.admin.Create(t.Context(), &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: o.ns, GenerateName: "seen-"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: o.ns, Name: "web"}, Reason: "Seen", Type: corev1.EventTypeNormal,
		}))
	}
}

// annotates: notes and labels that no window looks at, on everything.
func (o *town) annotates(t *testing.T) {
	gitOps := as(t, "system:serviceaccount:argocd:argocd-application-controller")
	place := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.ns}}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}
	for _, object := range []client.Object{o.web, o.db, o.agent, place, node} {
		now := strconv.FormatInt(time.Now().UnixNano(), 10)
		wantPassed(t, gitOps.Patch(t.Context(), object, mergePatch(`{"metadata":{"labels":{"seen-at":%q},"annotations":{"example.com/seen":%q}}}`, now, now)))
		wantPassed(t, gitOps.Patch(t.Context(), object, mergePatch(`{"metadata":{"labels":{"seen-at":null}}}`)))
	}
	wantPassed(t, o.admin.Patch(t.Context(), o.web, mergePatch(`{"spec":{"revisionHistoryLimit":5,"progressDeadlineSeconds":700}}`)))
	for _, pause := range []bool{true, false} {
		o.settles(t) // what its controller has not yet seen counts as busy
		wantPassed(t, o.admin.Patch(t.Context(), o.web, mergePatch(`{"spec":{"paused":%t}}`, pause)))
	}
	for _, pod := range o.pods(t, "web") {
		wantPassed(t, o.admin.Patch(t.Context(), &pod, mergePatch(`{"metadata":{"annotations":{"example.com/seen":"yes"},"labels":{"debug":"yes"}}}`)))
	}
	kubelet := as(t, "system:node:node-1", "system:nodes")
	wantPassed(t, kubelet.Status().Patch(t.Context(), node, mergePatch(`{"metadata":{"annotations":{"example.com/heartbeat":"yes"}}}`)))
}

// rollsOut: where a window is open, everything is rolled out, and back, scaled down, and a release removed; where rollouts are held, one
// is, and is taken back.
func (o *town) rollsOut(t *testing.T) {
	image := func(name string) {
		t.Helper()
		for _, object := range []client.Object{o.web, o.db, o.agent} {
			wantPassed(t, patchImage(t.Context(), o.admin, object, name))
		}
	}
	switch {
	case o.rolls:
		for _, name := range []string{"app:2", "app:1"} {
			image(name)
			for _, object := range []client.Object{o.web, o.db, o.agent} {
				eventually(t, 2*time.Minute, func() error {
					get(t, object)
					return rolledOut(object, name)
				})
			}
			o.settles(t)
		}
		wantPassed(t, o.admin.Delete(t.Context(), &o.pods(t, "web")[0]))
		o.settles(t)
		wantPassed(t, scaleAgain(t, o.admin, o.db, 2))
		o.settles(t)
		wantPassed(t, o.admin.Delete(t.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: o.ns, Name: "shop"}}))
	case o.held:
		image("app:2")
		image("app:1")
		o.settles(t)
	}
}

// drains: a node is cordoned, what runs there is evicted, and it comes back.
func drains(t *testing.T, towns []*town) {
	autoscaler := as(t, "system:serviceaccount:kube-system:cluster-autoscaler")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-2"}}
	wantPassed(t, autoscaler.Patch(t.Context(), node, mergePatch(`{"spec":{"unschedulable":true}}`)))
	defer func() {
		wantPassed(t, autoscaler.Patch(t.Context(), node, mergePatch(`{"spec":{"unschedulable":null}}`)))
	}()
	for _, o := range towns {
		for _, app := range []string{"web", "db"} {
			for _, pod := range o.pods(t, app) {
				if pod.Spec.NodeName == node.Name && pod.DeletionTimestamp == nil {
					wantPassed(t, autoscaler.SubResource("eviction").Create(t.Context(), &pod, &policyv1.Eviction{}))
				}
			}
		}
		o.settles(t)
	}
}

// hasWorked: the CronJob has begun, and the Job that it began has ended and is gone.
func (o *town) hasWorked(t *testing.T) {
	eventually(t, 90*time.Second, func() error {
		cron := &batchv1.CronJob{}
		if err := shared.Admin.Get(t.Context(), types.NamespacedName{Namespace: o.ns, Name: "nightly"}, cron); err != nil {
			return err
		}
		if cron.Status.LastSuccessfulTime == nil {
			return errors.New("no Job of the CronJob has ended")
		}
		return nil
	})
}

// refusesStill: beside all that, what disrupts is refused. It tells how many requests were.
func refusesStill(t *testing.T, towns []*town) int {
	count := 0
	for _, o := range towns[:2] {
		refusals := map[string]func() error{
			"delete a pod":        func() error { return o.admin.Delete(t.Context(), &o.pods(t, "web")[0]) },
			"delete a Deployment": func() error { return o.admin.Delete(t.Context(), o.web) },
			"scale to zero":       func() error { return scaleAgain(t, o.admin, o.web, 0) },
		}
		if !o.held {
			refusals["another image"] = func() error { return patchImage(t.Context(), o.admin, o.web, "app:9") }
			refusals["another image, by GitOps"] = func() error {
				return patchImage(t.Context(), as(t, "system:serviceaccount:argocd:argocd-application-controller"), o.db, "app:9")
			}
		}
		for what, try := range refusals {
			get(t, o.web)
			if err := try(); err == nil {
				t.Errorf("%s in %s passed", what, o.ns)
			} else {
				wantRefused(t, err)
			}
			count++
		}
	}
	return count
}

var requestTotal = regexp.MustCompile(`(?m)^apiserver_request_total\{.*verb="([A-Z]+)".*\} ([0-9.e+]+)$`)

// requestsAnswered is how many requests the API server has answered since its start, by verb, by its own count.
func requestsAnswered(t *testing.T) map[string]int {
	t.Helper()
	metrics, err := shared.Kubectl("get", "--raw", "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]int{}
	for _, line := range requestTotal.FindAllStringSubmatch(metrics, -1) {
		n, err := strconv.ParseFloat(line[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum[line[1]] += int(n)
	}
	return sum
}
