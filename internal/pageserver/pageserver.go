// Package pageserver is the program that serves the page for people. It reads windows, freezes, what was announced of them, and the
// labels of namespaces, and may write nothing: who breaks into it has what the page shows.
package pageserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/read"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/identity"
	"fonster.dev/fonster/internal/version"
)

// Options are the program's flags.
type Options struct {
	// Address is where the page and its feeds are served over HTTP, such as :8090.
	Address string
	// ProbeAddress is where /healthz and /readyz are served, such as :8081.
	ProbeAddress string
	// Page is what the page is told besides the objects.
	Page web.Options
	// Now is the clock.
	Now func() time.Time
}

// Run serves the page until the context ends.
func Run(ctx context.Context, config *rest.Config, options Options) error {
	config = rest.CopyConfig(config)
	config.UserAgent = version.UserAgent("fonster-page")
	own, err := identity.Own(ctx, config)
	if err != nil {
		return err
	}
	mgr, err := newManager(config, options, own.In())
	if err != nil {
		return err
	}
	listener, err := web.Listen(options.Address)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	source := &compile.Source{Reader: mgr.GetClient(), Operator: own}
	pages := web.New(func(ctx context.Context) (announce.Input, error) {
		in, err := read.Everything(ctx, mgr.GetClient(), own.In())
		if err != nil {
			return in, err
		}
		in.Compiled, err = source.Compiled(ctx)
		return in, err
	}, options.Now, options.Page)
	if err := listen(ctx, mgr.GetCache(), source, pages.Changed); err != nil {
		return err
	}
	if err := addProbes(mgr); err != nil {
		return err
	}
	if err := mgr.Add(&manager.Server{Name: "page", Listener: listener, Server: web.HTTP(pages), ShutdownTimeout: new(5 * time.Second)}); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// newManager makes what keeps the caches, with no more in them than the page reads.
func newManager(config *rest.Config, options Options, namespace string) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				namespaces(): {Transform: onlyLabels},
				&corev1.ConfigMap{}: {
					Namespaces: map[string]cache.Config{namespace: {}},
					Label:      labels.SelectorFromSet(labels.Set{v1alpha1.AnnouncedLabel: "true"}),
				},
			},
		},
		Metrics:                metricsserver.Options{BindAddress: "0"}, // to let only some read them takes more rights than the page has
		HealthProbeBindAddress: options.ProbeAddress,
	})
}

func namespaces() *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return o
}

// onlyLabels keeps of a namespace what is read of it, so that memory does not grow with its annotations.
func onlyLabels(object any) (any, error) {
	if ns, ok := object.(*metav1.PartialObjectMetadata); ok {
		ns.ManagedFields, ns.OwnerReferences, ns.Finalizers, ns.Annotations = nil, nil, nil, nil
	}
	return object, nil
}

// addProbes: alive is serving; ready is having read the cluster. What has been read stays on the page while no API server answers:
// windows open and close by the clock.
func addProbes(mgr ctrl.Manager) error {
	return errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("caches", func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches have not yet been filled")
		}
		return nil
	}))
}

// listen calls back when the page may say something else.
func listen(ctx context.Context, informers cache.Cache, source *compile.Source, changed func()) error {
	source.Changes() // from now on it is told
	for _, object := range []client.Object{&v1alpha1.MaintenanceWindow{}, &v1alpha1.ChangeFreeze{}, &corev1.ConfigMap{}, namespaces()} {
		informer, err := informers.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		if _, err := informer.AddEventHandler(whenChanged(source.Tell, changed)); err != nil {
			return err
		}
	}
	return nil
}

// whenChanged calls back when an object comes, goes, or says something else to people. What it is compiled to is told first, so that
// whoever draws finds it.
func whenChanged(tell func(object client.Object, gone bool), changed func()) toolscache.ResourceEventHandler {
	heard := func(object any, gone bool) {
		if last, missed := object.(toolscache.DeletedFinalStateUnknown); missed {
			object = last.Obj
		}
		if o, is := object.(client.Object); is {
			tell(o, gone)
		}
		changed()
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { heard(object, false) },
		DeleteFunc: func(object any) { heard(object, true) },
		UpdateFunc: func(before, after any) {
			if says(before) != says(after) {
				heard(after, false)
			}
		},
	}
}

// says tells one version of an object from another, as far as the page shows it: its spec, a record, the labels of a namespace; and of
// the status that an occurrence was closed early or came at short notice, and the emergency work. Other status is not announced.
func says(object any) string {
	switch o := object.(type) {
	case *v1alpha1.MaintenanceWindow:
		var short []time.Time
		for _, u := range o.Status.Upcoming {
			if u.ShortNotice {
				short = append(short, u.Start.UTC())
			}
		}
		return fmt.Sprint(o.UID, o.Generation, compile.ClosedVersion(o), short, announce.WorkOf([]v1alpha1.MaintenanceWindow{*o}))
	case *v1alpha1.ChangeFreeze:
		return fmt.Sprint(o.UID, o.Generation)
	case *corev1.ConfigMap:
		return o.ResourceVersion
	case *metav1.PartialObjectMetadata:
		return fmt.Sprint(o.UID, o.Labels)
	}
	return ""
}
