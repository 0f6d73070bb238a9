package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// freezeCommand presses the stop button.
type freezeCommand struct {
	*root
	name        string
	reason      string
	namespaces  string
	disruptions []string
	audiences   []string
	overridable bool
	dryRun      bool
}

// everyDisruption is what a freeze stops where nothing else is asked for.
var everyDisruption = []string{string(v1alpha1.Rollout), string(v1alpha1.ScaleDown), string(v1alpha1.Delete), string(v1alpha1.Evict)}

func newFreeze(r *root) *cobra.Command {
	o := &freezeCommand{root: r}
	command := &cobra.Command{
		Use:   "freeze [NAME] --reason REASON",
		Short: "Stop all changes now, also inside open windows, until unfreeze",
		Long: `Stop disruptive changes now, also inside open windows: creates a ChangeFreeze without schedules, which is in force until it is
deleted. Without --namespaces it stops them everywhere.`,
		Example: `  kubectl window freeze --reason "Val: inga ändringar"
  kubectl window freeze driftstopp --namespaces kommun=osthammar --reason "Felsökning pågår"
  kubectl window unfreeze driftstopp`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%q: one name at most", strings.Join(args, " "))
			}
			if strings.TrimSpace(o.reason) == "" {
				return usagef("--reason is missing: it is what those read who are refused")
			}
			o.name = "freeze-" + o.now().UTC().Format("20060102-150405")
			if len(args) > 0 {
				o.name = args[0]
			}
			return o.execute(c.Context())
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.reason, "reason", "", "why; shown to whoever is refused")
	flags.StringVar(&o.namespaces, "namespaces", "", "label selector of the namespaces, such as kommun=osthammar (default: all)")
	flags.StringSliceVar(&o.disruptions, "disruptions", everyDisruption, "what to stop")
	flags.StringSliceVar(&o.audiences, "audiences", nil, "whose page shows it (default: everybody's)")
	flags.BoolVar(&o.overridable, "overridable", false, "let an override pass it, for whoever has the verb override on it")
	flags.BoolVar(&o.dryRun, "dry-run", false, "ask the API server whether you may, and change nothing")
	_ = command.RegisterFlagCompletionFunc("disruptions", cobra.FixedCompletions(everyDisruption, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return command
}

func (o *freezeCommand) execute(ctx context.Context) error {
	selector, err := metav1.ParseToLabelSelector(o.namespaces)
	if err != nil {
		return usagef("--namespaces %s: %v", o.namespaces, err)
	}
	c, err := o.connect()
	if err != nil {
		return err
	}
	cf := &v1alpha1.ChangeFreeze{
		ObjectMeta: metav1.ObjectMeta{Name: o.name},
		Spec:       v1alpha1.ChangeFreezeSpec{Reason: o.reason, TimeZone: "UTC", NamespaceSelector: selector, Audiences: o.audiences},
	}
	for _, d := range o.disruptions {
		cf.Spec.Disruptions = append(cf.Spec.Disruptions, v1alpha1.Disruption(d))
	}
	if o.overridable {
		cf.Spec.Overrides = &v1alpha1.OverridePolicy{}
	}
	var options []client.CreateOption
	if o.dryRun {
		options = append(options, client.DryRunAll)
	}
	if err := c.Create(ctx, cf, options...); err != nil {
		return err
	}
	inForce := o.dryRun || o.awaitInForce(ctx, c)
	where := "all namespaces"
	if o.namespaces != "" {
		where = "namespaces with " + o.namespaces
	}
	_, err = fmt.Fprintf(o.Out, "changefreeze %s: %s in %s %s stopped%s\nIt ends with: kubectl window unfreeze %s\n",
		o.name, strings.Join(o.disruptions, ", "), where, choose(inForce, "is", "will be"), choose(o.dryRun, " (dry run)", ""), o.name)
	if !inForce {
		fmt.Fprintln(o.Err, "warning: no Gate shows it yet: it is not known to be in force. Is the operator running?")
	}
	return err
}

// awaitInForce waits for a moment until some Gate shows the freeze. One that no Gate has room for, or that governs nothing yet, is in
// force as well, as its status says.
func (o *freezeCommand) awaitInForce(ctx context.Context, c client.Client) bool {
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 3*time.Second, true, func(ctx context.Context) (bool, error) {
		var gates v1alpha1.GateList
		if err := c.List(ctx, &gates); err != nil {
			return false, err
		}
		for i := range gates.Items {
			if slices.ContainsFunc(gates.Items[i].Spec.Freezes, func(f v1alpha1.GateFreeze) bool { return f.Name == o.name && f.Active }) {
				return true, nil
			}
		}
		var cf v1alpha1.ChangeFreeze
		err := c.Get(ctx, client.ObjectKey{Name: o.name}, &cf)
		return err == nil && meta.IsStatusConditionTrue(cf.Status.Conditions, v1alpha1.ConditionActive), err
	})
	return err == nil
}

func newUnfreeze(r *root) *cobra.Command {
	return &cobra.Command{
		Use:               "unfreeze NAME...",
		Short:             "End a change freeze",
		Example:           "  kubectl window unfreeze driftstopp",
		ValidArgsFunction: r.completeFreezes,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name a change freeze to end: see 'kubectl get cf'")
			}
			cluster, err := r.connect()
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := cluster.Delete(c.Context(), &v1alpha1.ChangeFreeze{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
					return err
				}
				fmt.Fprintf(r.Out, "changefreeze %s has ended\n", name)
			}
			return nil
		},
	}
}
