package metrics

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Definition is what is known of a metric without any state.
type Definition struct {
	// Name, Type (gauge, counter or histogram) and Help are as served.
	Name, Type, Help string
	// Labels are the names of its labels. Their values are bounded: names of windows, freezes and namespaces, and enumerations.
	Labels []string

	desc *prometheus.Desc
}

// Definitions are all metrics of the operator's own, in the order of the reference.
var Definitions []*Definition

func define(kind, name, help string, labels ...string) *Definition {
	d := &Definition{Name: name, Type: kind, Help: help, Labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
	Definitions = append(Definitions, d)
	return d
}

var (
	buildInfo         = define("gauge", "fonster_build_info", "What the operator was built from; always 1.", "version", "commit", "go_version")
	windowInfo        = define("gauge", "fonster_window_info", "What the window is; always 1.", "window", "class", "enforcement", "time_zone")
	windowReady       = define("gauge", "fonster_window_ready", "Whether the window could be read (1) or not (0); one that could not stays closed.", "window")
	windowOpen        = define("gauge", "fonster_window_open", "Whether an occurrence of the window is in progress and no change freeze over all of it in force (1) or not (0); in the cutoff too, in which nothing new may begin.", "window")
	windowAccepting   = define("gauge", "fonster_window_accepting", "Whether something new may begin in the window (1) or not (0): open, not in the cutoff, and not frozen.", "window")
	windowFrozen      = define("gauge", "fonster_window_frozen", "Whether a change freeze keeps the window shut now (1) or not (0).", "window")
	windowOpens       = define("gauge", "fonster_window_opens_timestamp_seconds", "When the closed window opens next, change freezes counted; absent when no opening is known.", "window")
	windowCloses      = define("gauge", "fonster_window_closes_timestamp_seconds", "When the open window closes; absent while it is closed.", "window")
	freezeActive      = define("gauge", "fonster_freeze_active", "Whether the change freeze is in force now (1) or not (0).", "freeze")
	gateOpen          = define("gauge", "fonster_gate_open", "Whether the Gate of the namespace says that every disruption it governs may pass (1) or not (0); absent where there is none yet.", "namespace")
	gateLate          = define("gauge", "fonster_gate_late_seconds", "For how long the Gate of the namespace has not said what windows and freezes say; 0 when it does, absent where nothing governs.", "namespace")
	gatesUnwritten    = define("gauge", "fonster_gates_unwritten", "Number of namespaces whose Gate, or the label that goes with it, the operator could not write when it last tried: it says what it said before.")
	policiesMissing   = define("gauge", "fonster_policies_missing", "Number of policies and bindings of the operator's version that the API server does not have, or has changed, as the operator last saw; what they refuse or hold may pass.")
	namespaceOpen     = define("gauge", "fonster_namespace_open", "Whether a window over the whole namespace is open now and no change freeze over the whole namespace stops all that it lets pass (1) or not (0); absent where no window governs the whole namespace.", "namespace")
	heldRollouts      = define("gauge", "fonster_held_rollouts", "Number of rollouts that wait for the window.", "window")
	heldOldest        = define("gauge", "fonster_held_oldest_timestamp_seconds", "Since when the longest held rollout waits for the window; absent when none does.", "window")
	heldOpens         = define("gauge", "fonster_held_opens_timestamp_seconds", "When the last of the rollouts that wait for the window may begin, by any of its windows and freezes counted; +Inf when no opening is known, absent when none waits or all may begin now.", "window")
	releasingRollouts = define("gauge", "fonster_releasing_rollouts", "Number of rollouts that the window has let go and that are not yet done.", "window")
	releasesStopped   = define("gauge", "fonster_releases_stopped", "Whether a failed rollout has stopped the window's releases in some namespace for the rest of this occurrence (1) or not (0).", "window")
	releasesTotal     = define("counter", "fonster_releases_total", "Releases of held rollouts that have ended, by outcome: Done, Failed, HeldAgain or Stopped.", "window", "outcome")
	overridesActive   = define("gauge", "fonster_overrides_active", "Number of emergency overrides that stand now.")
	windowOverrides   = define("gauge", "fonster_window_overrides_active", "Number of emergency overrides that stand now and pass the window.", "window")
	overridesTotal    = define("counter", "fonster_overrides_total", "Emergency overrides that passed the window, since the operator started.", "window")
	plannedTotal      = define("counter", "fonster_window_planned_seconds_total", "Planned time of the occurrences that have ended.", "window")
	usedTotal         = define("counter", "fonster_window_used_seconds_total", "Time of the occurrences that have ended that was used.", "window")
	transitionSeconds = define("histogram", "fonster_transition_delay_seconds", "Time from an edge of a schedule until the Gate was written.")
	clockSkewSeconds  = define("gauge", "fonster_clock_skew_seconds", "The operator's clock minus the API server's, to half a second: positive when the operator is ahead.")
)

// outcomes are the values of the label outcome.
var outcomes = []string{"Done", "Failed", "HeldAgain", "Stopped"}

var transitionBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// scrapeTimeout bounds the reading of the state; it is in memory.
const scrapeTimeout = 5 * time.Second

// Markdown is the reference of the metrics.
func Markdown() string {
	var b strings.Builder
	b.WriteString("<!-- Generated by hack/observe from internal/metrics. Do not edit. -->\n# Metrics\n\n" +
		"What the operator serves on `/metrics`, besides the metrics of its libraries (Go runtime, controller-runtime, client-go). How to\n" +
		"scrape it: [observe.md](../observe.md).\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range Definitions {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, strings.Join(d.Labels, ", "), d.Help)
	}
	b.WriteString("\nEvery replica serves the state; only the leader counts releases, occurrences and overrides, and the others serve 0: add counters up, and take the\n" +
		"maximum of gauges. A counter is served at 0 once before anything is added, so that increase() sees all of it, and is gone with its window. There is\n" +
		"nothing per workload: 16 to 19 series for each window, one for each freeze, three for each governed namespace.\n\n" +
		"Refusals are counted by the API server: `apiserver_validating_admission_policy_check_total{policy=~\"fonster-.+\", enforcement_action=\"deny\"}`.\n")
	return b.String()
}
