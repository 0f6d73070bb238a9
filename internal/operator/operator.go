// Package operator puts the operator together: manager, cache, controllers, metrics, probes.
package operator

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers"
	"fonster.dev/fonster/controllers/override"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/enforced"
	"fonster.dev/fonster/internal/identity"
	"fonster.dev/fonster/internal/leader"
	"fonster.dev/fonster/internal/metrics"
	"fonster.dev/fonster/internal/policy"
	"fonster.dev/fonster/internal/version"
	"fonster.dev/fonster/internal/workload"
)

// Options are the operator's flags.
type Options struct {
	// MetricsAddress is where metrics are served, such as :8443; 0 turns them off.
	MetricsAddress string
	// MetricsCertDir holds tls.crt and tls.key for the metrics; empty: a self-signed certificate made at the start.
	MetricsCertDir string
	// ProbeAddress is where /healthz and /readyz are served, such as :8081.
	ProbeAddress string
	// ExemptUsers and ExemptGroups pass every gate, besides the control plane; exact names.
	ExemptUsers, ExemptGroups []string
	// LeaderLabels are keys of labels that a pod's own service account may change, besides policy.LeaderLabels.
	LeaderLabels []string
	// LeaderElect lets one of several replicas release what is held; without it, this one does.
	LeaderElect bool
	// LeaderIdentity tells this replica from others, such as the name of its pod; empty: a new one at each start.
	LeaderIdentity string
	// LeaseDuration, RenewDeadline and RetryPeriod are of the leader election.
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
	// Now is the clock.
	Now func() time.Time
}

// Run runs the operator until the context ends.
func Run(ctx context.Context, config *rest.Config, options Options) error {
	exempt, err := compile.Exempt(options.ExemptUsers, options.ExemptGroups, options.LeaderLabels)
	if err != nil {
		return err
	}
	config = rest.CopyConfig(config)
	config.UserAgent = version.UserAgent("fonster")
	config.QPS = -1 // priority and fairness of the API server is the limit; an edge must not queue here
	own, err := identity.Own(ctx, config)
	if err != nil {
		return err
	}
	source := &compile.Source{Operator: own}
	state := &enforced.State{}
	var reader client.Reader
	var overridden *override.Store
	m := metrics.New(func(ctx context.Context) (*metrics.Snapshot, error) {
		return snapshot(ctx, reader, source, overridden, state, options.Now())
	}, options.Now)
	config.Wrap(m.WrapTransport)
	mutating, err := knowsMutating(config)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, options, own, mutating)
	if err != nil {
		return err
	}
	source.Reader, reader = mgr.GetClient(), mgr.GetClient()
	if overridden, err = override.NewStore(mgr, config); err != nil {
		return err
	}
	if err := ctrlmetrics.Registry.Register(m); err != nil {
		return err
	}
	defer ctrlmetrics.Registry.Unregister(m)
	lease := &leader.Lease{}
	if err := addLease(mgr, lease, config, own.In(), options); err != nil {
		return err
	}
	if err := controllers.Setup(mgr, controllers.Options{
		Source: source, Overridden: overridden, Exempt: exempt, Lease: lease, Enforced: state, Mutating: mutating, Now: options.Now, Observer: m,
	}); err != nil {
		return err
	}
	if err := addProbes(mgr, overridden, state); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func newManager(config *rest.Config, options Options, own policy.Identity, mutating bool) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	namespaces := &metav1.PartialObjectMetadata{}
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	byObject := map[client.Object]cache.ByObject{
		namespaces:       {Transform: onlyLabels},
		&v1alpha1.Gate{}: {Transform: onlyWhetherTracked},
		&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{own.In(): {}},
			Label:      labels.SelectorFromSet(labels.Set{v1alpha1.AnnouncedLabel: "true"}),
		},
	}
	for _, installed := range enforced.Kinds(mutating) {
		byObject[installed] = cache.ByObject{Transform: enforced.Digest(own)}
	}
	marked, err := labels.Parse(v1alpha1.HeldLabel)
	if err != nil {
		return nil, err
	}
	for _, kind := range workload.Kinds {
		byObject[workload.Metadata(kind)] = cache.ByObject{Label: marked, Transform: onlyOurs}
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, // without its leader election, which ends the process where the lease is lost
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         byObject,
		},
		Metrics: metricsserver.Options{
			BindAddress:    options.MetricsAddress,
			SecureServing:  true,
			CertDir:        options.MetricsCertDir,
			FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress: options.ProbeAddress,
	})
}

// knowsMutating asks the API server whether it has MutatingAdmissionPolicy v1. It is asked once: one that learns it later restarts,
// and the operator should then too.
func knowsMutating(config *rest.Config) (bool, error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return false, err
	}
	mapper, err := apiutil.NewDynamicRESTMapper(config, c)
	if err != nil {
		return false, err
	}
	return workload.KnowsMutating(mapper)
}

// addLease has the lease for what one replica alone does.
func addLease(mgr ctrl.Manager, lease *leader.Lease, config *rest.Config, namespace string, options Options) error {
	replica := options.LeaderIdentity
	if replica == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("naming this replica: %w", err)
		}
		replica = host + "_" + string(uuid.NewUUID())
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if !options.LeaderElect {
			lease.Always(ctx)
			return nil
		}
		return lease.Run(ctx, leader.Config{
			Rest: config, Namespace: namespace, Name: "fonster", Identity: replica,
			Duration: options.LeaseDuration, RenewDeadline: options.RenewDeadline, RetryPeriod: options.RetryPeriod,
		})
	}))
}

// onlyLabels keeps of a namespace what is read of it, its labels and what stands about overrides, so that memory does not grow
// with its annotations.
func onlyLabels(object any) (any, error) {
	if ns, ok := object.(*metav1.PartialObjectMetadata); ok {
		ns.ManagedFields, ns.OwnerReferences, ns.Finalizers = nil, nil, nil
		ns.Annotations = ours(ns.Annotations)
	}
	return object, nil
}

// onlyWhetherTracked keeps of the notes of who wrote which field of a Gate that there are some.
func onlyWhetherTracked(object any) (any, error) {
	if g, ok := object.(*v1alpha1.Gate); ok && len(g.ManagedFields) > 0 {
		g.ManagedFields = []metav1.ManagedFieldsEntry{{}}
	}
	return object, nil
}

// onlyOurs keeps of what is held the labels, which windows select by, and our annotations.
func onlyOurs(object any) (any, error) {
	if o, ok := object.(*metav1.PartialObjectMetadata); ok {
		o.ManagedFields, o.Finalizers, o.Annotations = nil, nil, ours(o.Annotations)
	}
	return object, nil
}

// ours returns the annotations with our prefix; nil when there are none.
func ours(annotations map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range annotations {
		if strings.HasPrefix(key, v1alpha1.GroupName+"/") {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// addProbes: alive is serving; ready is having read the cluster, and being able to write what keeps the gates. Having the lease is
// neither: gates and status need none.
func addProbes(mgr ctrl.Manager, overridden *override.Store, state *enforced.State) error {
	if err := mgr.AddReadyzCheck("gates", func(*http.Request) error { return state.Ready() }); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	return mgr.AddReadyzCheck("caches", func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) || !overridden.Synced(ctx) {
			return fmt.Errorf("the caches have not yet been filled")
		}
		return nil
	})
}

// snapshot is what the metrics are computed from, read from the cache.
func snapshot(
	ctx context.Context, reader client.Reader, source *compile.Source, overridden *override.Store, state *enforced.State, now time.Time,
) (*metrics.Snapshot, error) {
	standing, err := overridden.Standing(ctx, reader, source, now)
	if err != nil {
		return nil, err
	}
	compiled, err := source.Compiled(ctx)
	if err != nil {
		return nil, err
	}
	var windows v1alpha1.MaintenanceWindowList
	if err := reader.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var gates v1alpha1.GateList
	if err := reader.List(ctx, &gates, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := reader.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	all, err := workload.List(ctx, reader, compiled, now)
	if err != nil {
		return nil, err
	}
	report, _ := state.Report()
	s := &metrics.Snapshot{
		Enforced: report, Compiled: compiled, Windows: windows.Items, Held: all, Overrides: standing,
		Gates:      make(map[string]*v1alpha1.Gate, len(gates.Items)),
		Namespaces: make(map[string]map[string]string, len(namespaces.Items)),
	}
	for i := range gates.Items {
		if g := &gates.Items[i]; g.Name == v1alpha1.GateName {
			s.Gates[g.Namespace] = g
		}
	}
	for i := range namespaces.Items {
		s.Namespaces[namespaces.Items[i].Name] = namespaces.Items[i].Labels
	}
	return s, nil
}
