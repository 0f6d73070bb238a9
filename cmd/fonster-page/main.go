// Command fonster-page serves the page for people, its calendars and feeds.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"fonster.dev/fonster/internal/pageserver"
	"fonster.dev/fonster/internal/version"
)

func main() {
	options := pageserver.Options{Now: time.Now}
	flag.StringVar(&options.Address, "page-bind-address", ":8090", "where the page for people, its calendars and feeds are served")
	flag.StringVar(&options.ProbeAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served")
	options.Page.Bind(flag.CommandLine)
	told := flag.Bool("version", false, "show the version and end")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	if *told {
		fmt.Println("fonster-page", version.Get())
		return
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	log := ctrl.Log.WithName("fonster-page")

	log.Info("starting", "version", version.Get().String())
	config, err := ctrl.GetConfig()
	if err != nil {
		log.Error(err, "no cluster to talk to: set KUBECONFIG or --kubeconfig, or run in a pod")
		os.Exit(1)
	}
	if err := pageserver.Run(ctrl.SetupSignalHandler(), config, options); err != nil {
		log.Error(err, "stopped")
		os.Exit(1)
	}
}
