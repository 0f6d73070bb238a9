package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/announce"
	"fonster.dev/fonster/internal/announce/read"
	"fonster.dev/fonster/internal/announce/web"
	"fonster.dev/fonster/internal/compile"
	"fonster.dev/fonster/internal/history"
)

// page serves the page on one's own machine.
type page struct {
	*root
	files []string
	all   bool
	port  int
	at    string
	web   web.Options

	// began is when the command did: what a file has was created then.
	began  time.Time
	client client.Client
	// warned holds what has been said on stderr, once each.
	warned sync.Map
}

func newPage(r *root) *cobra.Command {
	o := &page{root: r, web: web.Options{TellErrors: true}}
	command := &cobra.Command{
		Use:   "page [-f FILE...] [--all]",
		Short: "Show the page for people on this machine",
		Long: `Show the page for people, its calendars and feeds on this machine, as fonster-page serves them.

Without -f it is the page of the cluster; with -f that of manifests, for which no cluster is needed; with both --all and -f that of the cluster as it
will be when the manifests are applied, with what they move or cancel. Everything is read again whenever the page is: save a file,
and reload.`,
		Example: `  kubectl window page -f config/samples/third-saturday.yaml
  kubectl window page -f config/samples/itcentrum-2021.yaml --at 2021-05-13T10:00:00+02:00
  kubectl window page --all -f new-window.yaml --page-audiences=osthammar=Östhammar,heby=Heby`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.port < 0 || o.port > 65535 {
				return usagef("--port %d: want a port, 0 to 65535", o.port)
			}
			if err := o.setClock(); err != nil {
				return err
			}
			return o.execute(c.Context())
		},
	}
	f := command.Flags()
	f.StringSliceVarP(&o.files, "filename", "f", nil, "file or folder of manifests; may be repeated")
	f.BoolVarP(&o.all, "all", "A", false, "with -f: the windows and freezes of the cluster too")
	f.IntVar(&o.port, "port", 8090, "port on 127.0.0.1; 0: one that is free")
	f.StringVar(&o.at, "at", "", "show it as it is from this instant on, as YYYY-MM-DD or RFC 3339 (default: now)")
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	o.web.Bind(flags)
	f.AddGoFlagSet(flags)
	return command
}

// setClock sets the clock of the page, which runs on from there.
func (o *page) setClock() error {
	begin, now := o.now(), o.now
	o.began = begin.Truncate(time.Second)
	if o.at == "" {
		return nil
	}
	at, err := parseInstant(o.at, o.zone)
	if err != nil {
		return usagef("--at: %w", err)
	}
	o.began, o.now = at, func() time.Time { return at.Add(now().Sub(begin)) }
	return nil
}

func (o *page) execute(ctx context.Context) error {
	if o.all || len(o.files) == 0 {
		c, err := o.connect()
		if err != nil {
			return err
		}
		o.client = c
	}
	if _, err := o.load(ctx); err != nil {
		return err
	}
	listener, err := web.Listen(net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)))
	if err != nil {
		return fmt.Errorf("%w: choose another port with --port, or 0 for one that is free", err)
	}
	pages := web.New(o.load, o.now, o.web)
	server := web.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pages.Changed() // nobody tells of it
		pages.ServeHTTP(w, r)
	}))
	if _, err := fmt.Fprintf(o.Out, "The page: http://%s/ (Ctrl+C ends it)\n", listener.Addr()); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// load reads what is announced, and tells of what is wrong with it.
func (o *page) load(ctx context.Context) (in announce.Input, err error) {
	if o.client != nil {
		if err := o.readCluster(ctx, &in); err != nil {
			return in, err
		}
	}
	if len(o.files) > 0 {
		found, err := readFiles(o.files, strings.NewReader(""))
		if err != nil {
			return in, err
		}
		if len(found.windows)+len(found.freezes) == 0 {
			return in, fmt.Errorf("no MaintenanceWindow and no ChangeFreeze in %s", strings.Join(o.files, ", "))
		}
		o.put(&in, found)
	}
	in.Compiled = new(compile.Cache).Compile(in.Windows, in.Freezes)
	for _, name := range in.Compiled.Names("MaintenanceWindow") {
		o.warn("MaintenanceWindow", name, in.Compiled.Windows[name].Problems)
	}
	for _, name := range in.Compiled.Names("ChangeFreeze") {
		o.warn("ChangeFreeze", name, in.Compiled.Freezes[name].Problems)
	}
	return in, nil
}

// readCluster reads the cluster, as far as the reader may: without records and namespaces it is a page all the same.
func (o *page) readCluster(ctx context.Context, in *announce.Input) error {
	found, _, err := o.read(ctx)
	if err != nil {
		return err
	}
	for _, s := range found.windows {
		in.Windows = append(in.Windows, *s.object)
	}
	for _, s := range found.freezes {
		in.Freezes = append(in.Freezes, *s.object)
	}
	in.Work = announce.WorkOf(in.Windows)
	namespace := o.operator(ctx, o.client).In()
	for what, err := range map[string]error{
		"what was moved or cancelled is not shown: you may not read the ConfigMaps of " + namespace: read.Records(ctx, o.client, namespace, in),
		"whom namespaces concern is not known: you may not read Namespaces":                         read.Namespaces(ctx, o.client, in),
	} {
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		if err != nil {
			o.say("warning: " + what)
		}
	}
	return nil
}

// put adds what files have to what the cluster has, as it is once they are applied: with the records that the operator will write.
func (o *page) put(in *announce.Input, found objects) {
	for _, s := range found.windows {
		mw := s.object
		i := indexOf(in.Windows, mw.Name, func(w *v1alpha1.MaintenanceWindow) string { return w.Name })
		if i < 0 {
			mw.CreationTimestamp = metav1.NewTime(o.began)
			in.Windows = append(in.Windows, *mw)
			continue
		}
		in.Windows[i].Spec = mw.Spec
		in.Windows[i].Generation++
	}
	for _, s := range found.freezes {
		cf := s.object
		i := indexOf(in.Freezes, cf.Name, func(f *v1alpha1.ChangeFreeze) string { return f.Name })
		if i < 0 {
			cf.CreationTimestamp = metav1.NewTime(o.began)
			in.Freezes = append(in.Freezes, *cf)
			continue
		}
		in.Freezes[i].Spec = cf.Spec
		in.Freezes[i].Generation++
	}
	if in.Namespaces == nil {
		in.Namespaces = map[string]map[string]string{}
	}
	maps.Copy(in.Namespaces, found.namespaces)
	if in.Records == nil {
		in.Records, in.FreezeRecords = map[string]*history.Record{}, map[string]*history.Record{}
	}
	now := o.now()
	for i := range in.Windows {
		mw := &in.Windows[i]
		in.Records[mw.Name] = history.Next(in.Records[mw.Name], mw, history.OverOf(mw, in.Freezes), now)
	}
	for i := range in.Freezes {
		cf := &in.Freezes[i]
		in.FreezeRecords[cf.Name] = history.NextFreeze(in.FreezeRecords[cf.Name], cf, now)
	}
}

func indexOf[T any](list []T, name string, nameOf func(*T) string) int {
	for i := range list {
		if nameOf(&list[i]) == name {
			return i
		}
	}
	return -1
}

func (o *page) warn(kind, name string, problems compile.Problems) {
	for _, p := range problems {
		o.say(fmt.Sprintf("warning: %s %s: %s", kind, name, p))
	}
}

// say says something on stderr once.
func (o *page) say(text string) {
	if _, said := o.warned.LoadOrStore(text, true); !said {
		fmt.Fprintln(o.Err, text)
	}
}
