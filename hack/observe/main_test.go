package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fonster.dev/fonster/internal/metrics"
)

// TestDashboard: panels do not overlap, each asks the data source and the clusters that the reader has chosen.
func TestDashboard(t *testing.T) {
	taken := map[[2]int]string{}
	for _, p := range overview().Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, is := taken[[2]int{x, y}]; is || x > 23 {
					t.Fatalf("%s lies over %s, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Datasource != source || len(p.Targets) == 0 {
			t.Errorf("%s: data source %v, %d targets", p.Title, p.Datasource, len(p.Targets))
		}
		for _, q := range p.Targets {
			series := regexp.MustCompile(`(fonster_|apiserver_|cluster_window:|up)[a-z0-9_:]*\{`).FindAllString(q.Expr, -1)
			if q.Datasource != source || len(series) == 0 || strings.Count(q.Expr, `{cluster=~"$cluster"`) != strings.Count(q.Expr, "{") {
				t.Errorf("%s: not of the chosen data source and clusters: %s", p.Title, q.Expr)
			}
		}
	}
}

// TestMetricsExist: rules and panels speak of no metric that is not served, and every metric that is served can be seen in one of
// them, or is a label for others.
func TestMetricsExist(t *testing.T) {
	rules, err := os.ReadFile("../../config/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	exprs := string(rules)
	for _, p := range overview().Panels {
		for _, q := range p.Targets {
			exprs += q.Expr + "\n"
		}
	}
	served := map[string]bool{}
	for _, d := range metrics.Definitions {
		served[d.Name] = true
		unused := []string{"fonster_build_info", "fonster_window_info", "fonster_gate_open", "fonster_window_accepting"} // for queries of your own
		if !strings.Contains(exprs, d.Name) && !slices.Contains(unused, d.Name) {
			t.Errorf("%s is seen nowhere", d.Name)
		}
	}
	for _, name := range regexp.MustCompile(`\bfonster_[a-z_]+`).FindAllString(exprs, -1) {
		base := regexp.MustCompile("_(bucket|count|sum)$").ReplaceAllString(name, "")
		if !served[base] && !slices.Contains([]string{"fonster_refusals", "fonster_window_used", "fonster_window_used_seconds", "fonster_window_planned_seconds"}, name) { // the recorded ones
			t.Errorf("%s is not served", name)
		}
	}
}
