package operator

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/controllers/history"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/policy"
)

// addPage serves the announcements on every replica, from the manager's cache.
func addPage(ctx context.Context, mgr ctrl.Manager, source *compile.Source, work announce.WorkSource, options Options) error {
	if options.PageAddress == "0" || options.PageAddress == "" {
		return nil
	}
	audiences, err := parseAudiences(options.PageAudiences)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", options.PageAddress)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	pages := web.New(func(ctx context.Context) (announce.Input, error) {
		return announcedInput(ctx, mgr.GetClient(), source, work)
	}, options.Now, audiences)
	if err := work.OnChange(ctx, pages.Changed); err != nil {
		return err
	}
	for _, object := range []client.Object{&v1alpha1.MaintenanceWindow{}, &v1alpha1.ChangeFreeze{}, &corev1.ConfigMap{}} {
		informer, err := mgr.GetCache().GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return err
		}
		if _, err := informer.AddEventHandler(whenChanged(source.Tell, pages.Changed)); err != nil {
			return err
		}
	}
	return mgr.Add(&manager.Server{
		Name:     "page",
		Listener: listener,
		Server: &http.Server{
			Handler:           pages,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
		},
		ShutdownTimeout: new(5 * time.Second),
	})
}

// announcedInput reads from the cache what the announcements are drawn from.
func announcedInput(ctx context.Context, reader client.Reader, source *compile.Source, work announce.WorkSource) (announce.Input, error) {
	var input announce.Input
	var windows v1alpha1.MaintenanceWindowList
	if err := reader.List(ctx, &windows, client.UnsafeDisableDeepCopy); err != nil {
		return input, err
	}
	var freezes v1alpha1.ChangeFreezeList
	if err := reader.List(ctx, &freezes, client.UnsafeDisableDeepCopy); err != nil {
		return input, err
	}
	var stored corev1.ConfigMapList
	if err := reader.List(ctx, &stored, client.InNamespace(policy.OperatorNamespace), client.UnsafeDisableDeepCopy); err != nil {
		return input, err
	}
	compiled, err := source.Compiled(ctx)
	if err != nil {
		return input, err
	}
	underWay, err := work.Work(ctx)
	if err != nil {
		return input, err
	}
	records, freezeRecords := history.Records(stored.Items)
	return announce.Input{
		Compiled: compiled, Windows: windows.Items, Freezes: freezes.Items, Records: records, FreezeRecords: freezeRecords, Work: underWay,
	}, nil
}

// whenChanged calls back when an object comes, goes, or says something else to people: its spec, a record, or that an occurrence
// was closed early or came at short notice. Other status is not announced.
// What it is compiled to is told first, so that whoever draws finds it.
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

// says tells one version of an object from another, as far as the page shows it.
func says(object any) string {
	switch o := object.(type) {
	case *v1alpha1.MaintenanceWindow:
		var short []time.Time
		for _, u := range o.Status.Upcoming {
			if u.ShortNotice {
				short = append(short, u.Start.UTC())
			}
		}
		return fmt.Sprint(o.UID, o.Generation, compile.ClosedVersion(o), short)
	case *v1alpha1.ChangeFreeze:
		return fmt.Sprint(o.UID, o.Generation)
	case *corev1.ConfigMap:
		return o.ResourceVersion
	}
	return ""
}

var audienceName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// parseAudiences reads NAME or NAME=TITLE, separated by commas.
func parseAudiences(list string) (audiences []web.Audience, err error) {
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, title, _ := strings.Cut(entry, "=")
		if !audienceName.MatchString(name) {
			return nil, fmt.Errorf("--page-audiences: %q is no audience: want NAME or NAME=TITLE, such as osthammar=Östhammar", entry)
		}
		audiences = append(audiences, web.Audience{Name: name, Title: cmp.Or(strings.TrimSpace(title), name)})
	}
	return audiences, nil
}
