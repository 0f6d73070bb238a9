// Whether the dashboard is one to Grafana's own schema. A module of its own, so that the schema stays out of the dependency tree of
// Fonster.
module fonster.dev/fonster/test/dashboard

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
