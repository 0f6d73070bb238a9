package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
	"fonster.dev/fonster/internal/override"
	"fonster.dev/fonster/internal/workload"
)

// overrideCommand sets or ends an emergency override.
type overrideCommand struct {
	*root
	format
	target    *metav1.PartialObjectMetadata
	reason    string
	notice    string
	length    time.Duration
	dryRun    bool
	end       bool
	namespace string
	// began is when the command began, in whole seconds.
	began time.Time
}

// overridden is what came of it, as JSON has it.
type overridden struct {
	Object string `json:"object"`
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"`
	Until  string `json:"until,omitempty"`
	DryRun bool   `json:"dryRun,omitempty"`
	// Governed is false where no window governs the object, and so nothing was to be overridden.
	Governed bool `json:"governed"`
	// Refused is why the override is refused; empty where it is not.
	Refused string `json:"refused,omitempty"`
	// Needs are the rights that setting the override, and changing something under it, require: each of them.
	Needs []need `json:"needs,omitempty"`
}

// overridableKinds are what can carry an override, by the names under which kubectl knows them.
var overridableKinds = map[string]schema.GroupVersionKind{
	"deployment": {Group: "apps", Version: "v1", Kind: "Deployment"}, "statefulset": {Group: "apps", Version: "v1", Kind: "StatefulSet"},
	"daemonset": {Group: "apps", Version: "v1", Kind: "DaemonSet"}, "namespace": {Version: "v1", Kind: "Namespace"},
}

var shortNames = map[string]string{"deploy": "deployment", "sts": "statefulset", "ds": "daemonset", "ns": "namespace"}

func newOverride(r *root) *cobra.Command {
	o := &overrideCommand{root: r}
	command := &cobra.Command{
		Use:   "override (TYPE/NAME | TYPE NAME) --reason REASON",
		Short: "Let an emergency through for a workload or a namespace",
		Long: `Let an emergency through outside the maintenance windows: for some time, whoever may change the workload (or everything in the
namespace) may do so. It ends by itself, and is recorded and announced. TYPE is deployment, statefulset, daemonset or namespace.

Requires the ` + "`override`" + ` verb on any one of the maintenancewindows that govern the workload. For a namespace: on any one of those without
objectSelector, which govern everything in it; or, where there are none, on one of those of each objectSelector. In a change freeze
whoever changes something requires the ` + "`override`" + ` verb on that changefreeze too, and freezes without overrides let nothing pass.`,
		Example: `  kubectl window override deploy/web -n osthammar --reason "INC-1234 disken full" --for 30m
  kubectl window override ns/osthammar --reason "INC-1234" --notice "Säkerhetsuppdatering av e-tjänster."
  kubectl window override deploy/web -n osthammar --reason "INC-1234" --dry-run   # may I? and if not, who may?
  kubectl window override deploy/web -n osthammar --end`,
		ValidArgsFunction: r.completeObject,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.checkFormat(); err != nil {
				return err
			}
			if err := o.complete(strings.Join(args, "/")); err != nil {
				return err
			}
			return o.execute(c.Context())
		},
	}
	flags := command.Flags()
	bindNamespace(flags, &o.namespace)
	flags.StringVar(&o.reason, "reason", "", "why; must match the pattern of the windows, and differ from the last eight that were used up")
	flags.StringVar(&o.notice, "notice", "", "a sentence for the public page; it tells neither names nor the reason without it")
	flags.DurationVar(&o.length, "for", 0, "how long, such as 30m (default, and at most: as long as the windows allow)")
	flags.BoolVar(&o.dryRun, "dry-run", false, "ask the API server whether you may, and change nothing")
	flags.BoolVar(&o.end, "end", false, "end the override")
	o.bindFormat(command)
	return command
}

func (o *overrideCommand) complete(argument string) error {
	kind, name, found := strings.Cut(argument, "/")
	kind, _, _ = strings.Cut(strings.ToLower(kind), ".") // deployments.apps
	kind = strings.TrimSuffix(kind, "s")
	for short, long := range shortNames {
		if kind == short || kind+"s" == short {
			kind = long
		}
	}
	gvk, known := overridableKinds[kind]
	switch {
	case !found || name == "" || strings.Contains(name, "/") || !known:
		return usagef("%q: want deployment/NAME, statefulset/NAME, daemonset/NAME or namespace/NAME", argument)
	case o.end && (o.reason != "" || o.length != 0):
		return usagef("--end takes neither --reason nor --for")
	case !o.end && strings.TrimSpace(o.reason) == "":
		return usagef("--reason is missing: say why, such as --reason \"INC-1234 disken full\"")
	case o.length < 0:
		return usagef("--for %s: must be positive", o.length)
	}
	o.target = &metav1.PartialObjectMetadata{}
	o.target.SetGroupVersionKind(gvk)
	o.target.Name = name
	if gvk.Kind != "Namespace" {
		if o.namespace == "" {
			o.namespace = o.defaultNamespace()
		}
		o.target.Namespace = o.namespace
	}
	return nil
}

func (o *overrideCommand) execute(ctx context.Context) error {
	c, err := o.connect()
	if err != nil {
		return err
	}
	o.began = o.now().UTC().Truncate(time.Second)
	annotations := map[string]any{override.Reason: nil}
	if !o.end {
		annotations[override.Reason] = o.reason
		if o.notice != "" {
			annotations[override.Notice] = o.notice
		}
	}
	aided, err := workload.KnowsMutating(c.RESTMapper())
	if err != nil {
		return err
	}
	if !aided && !o.end {
		err = o.patchUnaided(ctx, c, annotations)
	} else {
		if o.length > 0 {
			annotations[override.Until] = o.began.Add(o.length).Format(time.RFC3339)
		}
		err = o.patch(ctx, c, annotations, nil)
	}
	if err != nil && (o.end || !apierrors.IsForbidden(err)) {
		return err
	}
	if o.end {
		return o.report(nil)
	}
	list, unread := o.needs(ctx, c)
	if err != nil {
		if unread != nil {
			list = []need{{Resource: windowsResource}}
		}
		fmt.Fprintf(o.Err, "error: %v\n%s", err, tellNeeds(ctx, c, list))
		if slices.Contains([]string{"json", "yaml"}, o.output) {
			refused := overridden{Object: override.ObjectName(o.target.Kind, o.target.Namespace, o.target.Name), Reason: o.reason, DryRun: o.dryRun, Governed: true, Refused: err.Error(), Needs: list}
			return errors.Join(errReported, o.write(o.format, refused, nil))
		}
		return errReported
	}
	if err := o.report(list); err != nil {
		return err
	}
	if unread != nil {
		fmt.Fprintf(o.Err, "warning: whether a change freeze is in force is not known: %v\n", unread)
	}
	if frozen := missing(list); len(frozen) > 0 {
		fmt.Fprint(o.Err, tellNeeds(ctx, c, frozen))
		if o.dryRun {
			return errReported
		}
	}
	return nil
}

// missing lists the freezes that stop the caller though the override stands.
func missing(list []need) []need {
	return slices.DeleteFunc(slices.Clone(list), func(n need) bool { return n.Resource != freezesResource || n.Have && !n.Impossible })
}

func (o *overrideCommand) patch(ctx context.Context, c client.Client, annotations, marks map[string]any) error {
	metadata := map[string]any{"annotations": annotations}
	if marks != nil {
		metadata["labels"] = marks
	}
	content, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	options := []client.PatchOption{client.FieldOwner("kubectl-window")}
	if o.dryRun {
		options = append(options, client.DryRunAll)
	}
	return c.Patch(ctx, o.target, client.RawPatch(types.MergePatchType, content), options...)
}

// patchUnaided writes the notes of an override where the API server has no mutating policies that would; it checks them. It tries
// without first: a new reason alone, also without the end of the one before, passes where nothing governs.
func (o *overrideCommand) patchUnaided(ctx context.Context, c client.Client, annotations map[string]any) error {
	present := o.target.DeepCopy()
	if err := c.Get(ctx, client.ObjectKeyFromObject(o.target), present); err == nil && override.Parse(present).Reason != o.reason {
		annotations[override.Until] = nil
	}
	if err := o.patch(ctx, c, annotations, nil); !apierrors.IsForbidden(err) {
		return err
	}
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return fmt.Errorf("asking the API server who you are: %w", err)
	}
	length := time.Hour // a window's default
	if g, err := o.governed(ctx, c); err == nil {
		length = g.longest()
	}
	length -= min(time.Minute, length/10) // the API server's clock may be behind this one
	if o.length > 0 {
		length = min(o.length, length)
	}
	annotations[override.By] = review.Status.UserInfo.Username
	annotations[override.Until] = o.began.Add(length).Format(time.RFC3339)
	return o.patch(ctx, c, annotations, map[string]any{v1alpha1.OverriddenLabel: "true"})
}

func (o *overrideCommand) report(list []need) error {
	current := override.Parse(o.target)
	object := override.ObjectName(o.target.Kind, o.target.Namespace, o.target.Name)
	governed := current.Marked && current.By != "" && !current.Until.IsZero()
	result := overridden{Object: object, Reason: current.Reason, DryRun: o.dryRun, Governed: governed, Needs: list}
	if result.Governed && !o.end {
		result.By, result.Until = current.By, current.Until.Format(time.RFC3339)
	}
	if !o.end && current.IsSpent() {
		return fmt.Errorf("%s: the reason %q is used up: give another one", object, current.Reason)
	}
	return o.write(o.format, result, func() error { return o.text(result, current, list) })
}

func (o *overrideCommand) text(result overridden, current override.Override, list []need) (err error) {
	object := result.Object
	switch {
	case o.end:
		_, err = fmt.Fprintf(o.Out, "%s: the override has ended%s\n", object, choose(o.dryRun, " (dry run)", ""))
	case !result.Governed:
		_, err = fmt.Fprintf(o.Out, "%s: no window governs it, there is nothing to override\n", object)
	case o.dryRun && len(missing(list)) > 0:
		_, err = fmt.Fprintf(o.Out, "%s: you may set the override, but a change freeze stops what you change under it (dry run)\n", object)
	case o.dryRun:
		_, err = fmt.Fprintf(o.Out, "%s: you may override it, until %s (dry run)\n", object, o.human(current.Until))
	default:
		_, err = fmt.Fprintf(o.Out, "%s: overridden by %s until %s (%s)\nIt ends by itself; before that with: kubectl window override %s/%s%s --end\n",
			object, current.By, o.human(current.Until), length(o.lasts(current)), strings.ToLower(o.target.Kind), o.target.Name, choose(o.target.Namespace != "", " -n "+o.target.Namespace, ""))
	}
	return err
}

// lasts is how long an override stands in all, by the clock that began it.
func (o *overrideCommand) lasts(current override.Override) time.Duration {
	from := o.began
	if asked := o.began.Add(o.length); !current.Until.Equal(asked) && !current.From.IsZero() {
		from = current.From
	}
	return current.Until.Sub(from).Round(time.Second)
}

// overridesCommand lists what was overridden.
type overridesCommand struct {
	*root
	format
	scope
	watch bool
}

type overridesReport struct {
	v1alpha1.OverrideRecord
	Stands  bool     `json:"stands"`
	Windows []string `json:"windows"`
}

func newOverrides(r *root) *cobra.Command {
	o := &overridesCommand{root: r}
	command := &cobra.Command{
		Use:   "overrides",
		Short: "List the emergency overrides: those that stand, and the last that have ended",
		Long: `List the emergency overrides of a namespace: those that stand, and the last that have ended. Whoever may not read windows, which
record them, is told of those that stand, by the workloads and the namespace that carry them.`,
		Example: `  kubectl window overrides
  kubectl window overrides -A -o json | jq '.[] | select(.stands)'`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(o.checkFormat(), o.checkScope()); err != nil {
				return err
			}
			namespace := r.inScope(o.scope)
			return r.once(c.Context(), o.watch, namespace, func(ctx context.Context, _ client.Client) error { return o.execute(ctx, namespace) })
		},
	}
	o.bindScope(command.Flags())
	o.bindTable(command)
	command.Flags().BoolVarP(&o.watch, "watch", "w", false, "list them again whenever something changes")
	return command
}

func (o *overridesCommand) execute(ctx context.Context, namespace string) error {
	found, c, err := o.read(ctx)
	var list []overridesReport
	switch {
	case apierrors.IsForbidden(err):
		fmt.Fprintln(o.Err, "You may not read windows, which record overrides: these are those that stand. Ask for a ClusterRoleBinding to fonster-viewer.")
		if list, err = o.standing(ctx, c, namespace); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		list = slices.DeleteFunc(o.report(found), func(r overridesReport) bool { return namespace != "" && namespaceIn(r.Object) != namespace })
	}
	return o.write(o.format, list, func() error { return o.text(list, namespace) })
}

// namespaceIn is the namespace that the override of an object is about.
func namespaceIn(object string) string {
	_, namespace, name := override.ParseObjectName(object)
	return cmp.Or(namespace, name)
}

// standing lists the overrides that stand, by what carries them.
func (o *overridesCommand) standing(ctx context.Context, c client.Client, namespace string) ([]overridesReport, error) {
	list, now := []overridesReport{}, o.serverNow()
	var reader client.Reader = c
	if namespace != "" {
		reader = oneNamespace{c, namespace}
	}
	for _, k := range kinds {
		if !k.carries {
			continue
		}
		carriers := &metav1.PartialObjectMetadataList{}
		carriers.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
		if err := reader.List(ctx, carriers, client.MatchingLabels{v1alpha1.OverriddenLabel: "true"}); err != nil {
			return nil, forbidden(err, "what carries overrides", "the ClusterRole view in the namespace, and name it with -n")
		}
		for i := range carriers.Items {
			item := &carriers.Items[i]
			if current := override.Parse(item); current.Stands(now) {
				list = append(list, overridesReport{Stands: true, Windows: []string{}, OverrideRecord: v1alpha1.OverrideRecord{
					Object: override.ObjectName(k.Kind, item.Namespace, item.Name), Reason: current.Reason, By: current.By,
					From: metav1.NewTime(current.From), Until: metav1.NewTime(current.Until), FromGeneration: current.FromGeneration, ToGeneration: item.Generation,
				}})
			}
		}
	}
	return list, nil
}

// report merges what the windows have recorded, newest first: an override of several windows is one.
func (o *overridesCommand) report(found objects) []overridesReport {
	now := o.serverNow()
	list := []overridesReport{}
	for _, s := range found.windows {
		for _, r := range s.object.Status.Overrides {
			same := func(e overridesReport) bool {
				return e.Object == r.Object && e.Reason == r.Reason && e.From.Equal(&r.From)
			}
			if i := slices.IndexFunc(list, same); i >= 0 {
				list[i].Windows = append(list[i].Windows, s.object.Name)
				continue
			}
			list = append(list, overridesReport{OverrideRecord: r, Stands: r.EndedAt == nil && now.Before(r.Until.Time), Windows: []string{s.object.Name}})
		}
	}
	slices.SortStableFunc(list, func(a, b overridesReport) int { return b.From.Compare(a.From.Time) })
	return list
}

func (o *overridesCommand) text(list []overridesReport, namespace string) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(o.Out, "Nothing has been overridden"+in(namespace))
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, o.header("OBJECT", "STATE", "FROM", "UNTIL", "BY", "CHANGED", "WINDOWS", "REASON"))
	for _, r := range list {
		state, until := "Stands", r.Until.Time
		if !r.Stands {
			state = string(r.Ended)
			if r.EndedAt != nil {
				until = r.EndedAt.Time
			}
		}
		changed := choose(r.ToGeneration > r.FromGeneration, "yes", "no")
		if strings.HasPrefix(r.Object, "Namespace ") {
			changed = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Object, state,
			o.human(r.From.Time), o.human(until), r.By, changed, strings.Join(r.Windows, ","), r.Reason)
	}
	return table.Flush()
}
