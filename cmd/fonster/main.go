// Command fonster is the operator. Fonster remove takes it out of a cluster, and fonster check looks whether it is well installed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"fonster.dev/fonster/internal/checkup"
	"fonster.dev/fonster/internal/operator"
	"fonster.dev/fonster/internal/removal"
	"fonster.dev/fonster/internal/version"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "remove":
			remove(os.Args[2:])
			return
		case "check":
			check(os.Args[2:])
			return
		}
	}
	operate()
}

// remove takes Fonster out of the cluster of KUBECONFIG, or in which it runs.
func remove(args []string) {
	options := removal.Options{Out: os.Stdout}
	flag.StringVar(&options.OperatorNamespace, "operator-namespace", "", "namespace of the operator (default: as the installed policies name it)")
	flag.BoolVar(&options.KeepPolicies, "keep-policies", false, "only stop the operator, so that nothing is held any more; what refuses goes on refusing")
	flag.BoolVar(&options.CRDs, "crds", false, "remove the CRDs too, and with them all windows and freezes, for good")
	flag.DurationVar(&options.Patience, "patience", 10*time.Minute, "how long to wait for rollouts that have been let go and are not yet done")
	once(args, func(ctx context.Context, config *rest.Config) error { return removal.Run(ctx, config, options) })
}

// check looks whether Fonster is well installed.
func check(args []string) {
	wait := flag.Duration("timeout", time.Minute, "how long all may take to be well")
	once(args, func(ctx context.Context, config *rest.Config) error {
		ctx, cancel := context.WithTimeout(ctx, *wait)
		defer cancel()
		return checkup.Run(ctx, config, os.Stdout)
	})
}

// once does something for which a person or a script waits, and ends the process if it fails.
func once(args []string, do func(context.Context, *rest.Config) error) {
	_ = flag.CommandLine.Parse(args) // it ends the process itself
	ctrl.SetLogger(logr.Discard())
	config, err := ctrl.GetConfig()
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("%q: no argument is expected", flag.Arg(0))
	}
	if err == nil {
		err = do(ctrl.SetupSignalHandler(), config)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// operate runs the operator.
func operate() {
	options := operator.Options{Now: time.Now}
	flag.StringVar(&options.MetricsAddress, "metrics-bind-address", ":8443", "where metrics are served over HTTPS, to callers with the right to read them; 0 turns them off")
	flag.StringVar(&options.MetricsCertDir, "metrics-cert-path", "", "folder with tls.crt and tls.key for the metrics (default: a self-signed certificate made at the start)")
	flag.StringVar(&options.ProbeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	flag.BoolVar(&options.LeaderElect, "leader-elect", true, "elect one of several replicas to release what is held; the gates are written by all")
	flag.StringVar(&options.LeaderIdentity, "leader-elect-identity", "",
		"name of this replica, unique among those that run, such as its pod's: after a crash it need not wait for its own lease "+
			"(default: a new one at each start)")
	flag.DurationVar(&options.LeaseDuration, "leader-elect-lease-duration", 15*time.Second, "how long a leader that has died is waited for")
	flag.DurationVar(&options.RenewDeadline, "leader-elect-renew-deadline", 10*time.Second, "how long a leader tries to renew its lease before it gives up")
	flag.DurationVar(&options.RetryPeriod, "leader-elect-retry-period", 2*time.Second, "how often the lease is renewed, or tried for")
	flag.Func("exempt-users", "user names, separated by commas, that pass every gate, such as system:serviceaccount:databases:operator; may be repeated", names(&options.ExemptUsers))
	flag.Func("exempt-groups", "the same for groups", names(&options.ExemptGroups))
	flag.Func("leader-labels", "keys of labels, separated by commas, that a pod's own service account may change to mark its leader, besides those of well-known databases; may be repeated", names(&options.LeaderLabels))
	told := flag.Bool("version", false, "show the version and end")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	if *told {
		fmt.Println("fonster", version.Get())
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	log := ctrl.Log.WithName("fonster")

	log.Info("starting", "version", version.Get().String())
	config, err := ctrl.GetConfig()
	if err != nil {
		log.Error(err, "no cluster to talk to: set KUBECONFIG or --kubeconfig, or run in a pod")
		os.Exit(1)
	}
	if err := operator.Run(ctrl.SetupSignalHandler(), config, options); err != nil {
		log.Error(err, "stopped")
		os.Exit(1)
	}
}

// names collects a flag's values.
func names(into *[]string) func(string) error {
	return func(value string) error {
		*into = append(*into, strings.Split(value, ",")...)
		return nil
	}
}
