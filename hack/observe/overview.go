package main

const refusals = `apiserver_validating_admission_policy_check_total{, policy=~"fonster-.+", enforcement_action="deny"}`

// orZero is 0 where there is nothing to add up, and nothing where no operator is seen.
const orZero = ` or 0 * max(fonster_overrides_active{})`

// overview is the dashboard.
func overview() dashboard {
	return dashboard{
		UID: "fonster", Title: "Fonster: maintenance windows", Tags: []string{"fonster"}, SchemaVersion: 39, Version: 1, Editable: true,
		Description:  "What is open, what comes, what waits, what was refused.",
		GraphTooltip: 1, Refresh: "30s", Timezone: "browser", Time: timeRange{From: "now-24h", To: "now"},
		Annotations: annotations{List: []any{}},
		Templating: templating{List: []variable{
			{Name: "datasource", Label: "Data source", Type: "datasource", Query: "prometheus"},
			// .* also matches series without the label, where there is one cluster alone.
			{Name: "cluster", Label: "Cluster", Type: "query", Query: "label_values(fonster_window_info, cluster)", Datasource: &source,
				Refresh: 2, Multi: true, IncludeAll: true, AllValue: ".*"},
		}},
		Panels: layOut(append(now(), history()...)),
	}
}

// now is the upper part: the state at this moment.
func now() []panel {
	return []panel{
		newPanel("stat", "Windows open", "none", 4, 4, query("", `sum(max by (cluster, window) (fonster_window_open{}))`+orZero)),
		newPanel("stat", "Namespaces in a window", "none", 4, 4, query("", `sum(max by (cluster, namespace) (fonster_namespace_open{}))`+orZero)),
		newPanel("stat", "Rollouts held", "none", 4, 4, query("", `sum(max by (cluster, window) (fonster_held_rollouts{}))`+orZero)),
		newPanel("stat", "Overrides standing", "none", 4, 4, query("", `sum(max by (cluster) (fonster_overrides_active{}))`)),
		newPanel("stat", "Freezes in force", "none", 4, 4, query("", `sum(max by (cluster, freeze) (fonster_freeze_active{}))`+orZero)),
		newPanel("stat", "Replicas up", "none", 4, 4, query("", `sum(up{, job="fonster"}) or vector(0)`)),
		newTimes("Open now, closes", `max by (cluster, window) (fonster_window_closes_timestamp_seconds{})`, 12, 7),
		newTimes("Next openings", `max by (cluster, window) (fonster_window_opens_timestamp_seconds{})`, 12, 7),
		states(),
	}
}

// states shows each window as a band.
func states() panel {
	p := newPanel("state-timeline", "Windows", "none", 24, 8,
		query("{{cluster}} {{window}}", `max by (cluster, window) (fonster_window_open{} + 2 * fonster_window_frozen{})`))
	p.FieldConfig.Defaults.Mappings = []mapping{{Type: "value", Options: map[string]mapped{
		"0": {Text: "closed", Color: "gray", Index: 0}, "1": {Text: "open", Color: "green", Index: 1}, "2": {Text: "frozen", Color: "blue", Index: 2},
	}}}
	return p
}

// history is the lower part: what happened in the chosen time.
func history() []panel {
	return []panel{
		newPanel("timeseries", "Held, and being released", "none", 12, 7,
			query("held {{cluster}} {{window}}", `max by (cluster, window) (fonster_held_rollouts{}) > 0`),
			query("releasing {{cluster}} {{window}}", `max by (cluster, window) (fonster_releasing_rollouts{}) > 0`)),
		newPanel("bargauge", "Longest held", "s", 6, 7,
			query("{{cluster}} {{window}}", `time() - min by (cluster, window) (fonster_held_oldest_timestamp_seconds{})`)),
		newPanel("bargauge", "Releases by outcome", "none", 6, 7,
			query("{{cluster}} {{window}} {{outcome}}", `sum by (cluster, window, outcome) (increase(fonster_releases_total{}[$__range])) > 0`)),
		newPanel("timeseries", "Refusals by rule", "none", 12, 7,
			query("{{cluster}} {{policy}}", `sum by (cluster, policy) (increase(`+refusals+`[$__rate_interval]))`)),
		newPanel("timeseries", "Overrides in force", "none", 6, 7,
			query("{{cluster}} {{window}}", `max by (cluster, window) (fonster_window_overrides_active{}) > 0`)),
		newPanel("bargauge", "Overrides", "none", 6, 7,
			query("{{cluster}} {{window}}", `sum by (cluster, window) (increase(fonster_overrides_total{}[$__range])) > 0`)),
		newPanel("bargauge", "Planned and used", "s", 12, 7,
			query("{{cluster}} {{window}} planned", `sum by (cluster, window) (increase(fonster_window_planned_seconds_total{}[$__range])) > 0`),
			query("{{cluster}} {{window}} used", `sum by (cluster, window) (increase(fonster_window_used_seconds_total{}[$__range])) > 0`)),
		share(newPanel("bargauge", "Used of planned, 90 days", "percentunit", 12, 7,
			query("{{cluster}} {{window}}", `cluster_window:fonster_window_used:ratio_90d{}`))),
		// No quantile: of a few events, rate extrapolates each bucket differently, and what is 16 ms would be drawn as 9 s.
		newPanel("timeseries", "Edge to gate, mean", "s", 8, 6,
			query("{{cluster}}", `sum by (cluster) (rate(fonster_transition_delay_seconds_sum{}[$__rate_interval])) / `+
				`sum by (cluster) (rate(fonster_transition_delay_seconds_count{}[$__rate_interval])) >= 0`)),
		newPanel("timeseries", "Gates late", "s", 8, 6,
			query("{{cluster}} {{namespace}}", `max by (cluster, namespace) (fonster_gate_late_seconds{}) > 0`)),
		newPanel("timeseries", "Clock skew", "s", 8, 6, query("{{cluster}} {{instance}}", `fonster_clock_skew_seconds{}`)),
	}
}

// share makes the whole of a panel's scale 1.
func share(p panel) panel {
	p.FieldConfig.Defaults.Min, p.FieldConfig.Defaults.Max = new(0.0), new(1.0)
	return p
}
