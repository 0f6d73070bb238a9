package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/version"
)

// versions are those of the plugin and of what is installed, as JSON has them.
type versions struct {
	Client string `json:"client"`
	Commit string `json:"commit,omitempty"`
	Go     string `json:"go"`
	// API is the version of Fonster's API that the plugin speaks; Served says whether the cluster does, absent where it does not answer.
	API    string `json:"api"`
	Served *bool  `json:"served,omitempty"`
}

func newVersion(r *root) *cobra.Command {
	var f format
	var local bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Show the version of the plugin, and what the cluster serves",
		Example: `  kubectl window version
  kubectl window version --client -o json`,
		Args: none,
		RunE: func(*cobra.Command, []string) error {
			if err := f.checkFormat(); err != nil {
				return err
			}
			v := built()
			if !local {
				r.served(&v)
			}
			return r.write(f, v, func() error {
				fmt.Fprintf(r.Out, "Plugin: %s\n", version.Get())
				switch {
				case local:
				case v.Served == nil:
					fmt.Fprintln(r.Out, "Cluster: it does not answer")
				default:
					fmt.Fprintf(r.Out, "Cluster: %s is %sserved\n", v.API, choose(*v.Served, "", "not "))
				}
				return nil
			})
		},
	}
	command.Flags().BoolVar(&local, "client", false, "that of the plugin alone")
	f.bindFormat(command)
	return command
}

// built is what the plugin was built from.
func built() versions {
	i := version.Get()
	return versions{Client: i.Version, Commit: i.Commit, Go: i.Go, API: v1alpha1.GroupVersion.String()}
}

// served asks the cluster whether it serves Fonster's API.
func (r *root) served(v *versions) {
	c, err := r.connect()
	if err != nil {
		return
	}
	_, err = c.RESTMapper().RESTMapping(v1alpha1.GroupVersion.WithKind("Gate").GroupKind(), v1alpha1.GroupVersion.Version)
	if err == nil || meta.IsNoMatchError(err) {
		v.Served = new(err == nil)
	}
}
