package main

import "strings"

// What follows is the part of Grafana's dashboard schema (version 39, Grafana 10 and later) that is used here.

type dashboard struct {
	UID           string      `json:"uid"`
	Title         string      `json:"title"`
	Description   string      `json:"description"`
	Tags          []string    `json:"tags"`
	SchemaVersion int         `json:"schemaVersion"`
	Version       int         `json:"version"`
	Editable      bool        `json:"editable"`
	GraphTooltip  int         `json:"graphTooltip"`
	Refresh       string      `json:"refresh"`
	Timezone      string      `json:"timezone"`
	Time          timeRange   `json:"time"`
	Annotations   annotations `json:"annotations"`
	Templating    templating  `json:"templating"`
	Panels        []panel     `json:"panels"`
}

type timeRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type annotations struct {
	List []any `json:"list"`
}

type templating struct {
	List []variable `json:"list"`
}

type variable struct {
	Name       string      `json:"name"`
	Label      string      `json:"label"`
	Type       string      `json:"type"`
	Query      string      `json:"query"`
	Datasource *datasource `json:"datasource,omitempty"`
	Refresh    int         `json:"refresh,omitempty"`
	Multi      bool        `json:"multi,omitempty"`
	IncludeAll bool        `json:"includeAll,omitempty"`
	AllValue   string      `json:"allValue,omitempty"`
}

type datasource struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

type panel struct {
	ID              int              `json:"id"`
	Type            string           `json:"type"`
	Title           string           `json:"title"`
	Description     string           `json:"description,omitempty"`
	Datasource      datasource       `json:"datasource"`
	GridPos         gridPos          `json:"gridPos"`
	Targets         []target         `json:"targets"`
	FieldConfig     fieldConfig      `json:"fieldConfig"`
	Options         map[string]any   `json:"options,omitempty"`
	Transformations []transformation `json:"transformations,omitempty"`
}

type gridPos struct {
	H int `json:"h"`
	W int `json:"w"`
	X int `json:"x"`
	Y int `json:"y"`
}

type target struct {
	RefID        string     `json:"refId"`
	Datasource   datasource `json:"datasource"`
	Expr         string     `json:"expr"`
	LegendFormat string     `json:"legendFormat,omitempty"`
	Instant      bool       `json:"instant,omitempty"`
	Range        bool       `json:"range,omitempty"`
	Format       string     `json:"format,omitempty"`
}

type fieldConfig struct {
	Defaults  defaults        `json:"defaults"`
	Overrides []fieldOverride `json:"overrides"`
}

// fieldOverride gives one column of a table properties of its own.
type fieldOverride struct {
	Matcher    matcher    `json:"matcher"`
	Properties []property `json:"properties"`
}

type matcher struct {
	ID      string `json:"id"`
	Options string `json:"options"`
}

type property struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type defaults struct {
	Unit     string    `json:"unit,omitempty"`
	Min      *float64  `json:"min,omitempty"`
	Max      *float64  `json:"max,omitempty"`
	Mappings []mapping `json:"mappings,omitempty"`
}

type mapping struct {
	Type    string            `json:"type"`
	Options map[string]mapped `json:"options"`
}

type mapped struct {
	Text  string `json:"text"`
	Color string `json:"color"`
	Index int    `json:"index"`
}

type transformation struct {
	ID      string         `json:"id"`
	Options map[string]any `json:"options"`
}

// source is the data source that the reader chooses.
var source = datasource{Type: "prometheus", UID: "${datasource}"}

// query is a target; SERIES{} in it stands for the clusters that the reader chooses.
func query(legend, expr string) target {
	expr = strings.ReplaceAll(expr, "{}", `{cluster=~"$cluster"}`)
	expr = strings.ReplaceAll(expr, "{,", `{cluster=~"$cluster", `)
	return target{Datasource: source, Expr: expr, LegendFormat: legend, Range: true}
}

func newPanel(kind, title, unit string, w, h int, targets ...target) panel {
	for i := range targets {
		targets[i].RefID = string(rune('A' + i))
		if kind == "stat" || kind == "table" || kind == "bargauge" {
			targets[i].Instant, targets[i].Range = true, false
		}
		if kind == "table" {
			targets[i].Format = "table"
		}
	}
	p := panel{
		Type: kind, Title: title, Datasource: source, GridPos: gridPos{W: w, H: h}, Targets: targets,
		FieldConfig: fieldConfig{Defaults: defaults{Unit: unit}, Overrides: []fieldOverride{}},
	}
	return p
}

// newTimes is a table of the instants of a series, soonest first, with the time until then.
func newTimes(title, series string, w, h int) panel {
	p := newPanel("table", title, "", w, h, query("", series+" - time()"), query("", series+" * 1000"))
	p.Transformations = []transformation{
		{ID: "merge", Options: map[string]any{}},
		{ID: "organize", Options: map[string]any{
			"excludeByName": map[string]bool{"Time": true}, "renameByName": map[string]string{"Value #A": "in", "Value #B": "at"},
		}},
	}
	p.FieldConfig.Overrides = []fieldOverride{
		{matcher{"byName", "in"}, []property{{"unit", "dtdhms"}}}, {matcher{"byName", "at"}, []property{{"unit", "dateTimeAsIso"}}},
	}
	p.Options = map[string]any{"showHeader": true, "frameIndex": 0, "sortBy": []map[string]any{{"displayName": "in", "desc": false}}}
	return p
}

// layOut numbers panels and places them in rows of 24 columns.
func layOut(panels []panel) []panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		if x+p.GridPos.W > 24 {
			x, y, height = 0, y+height, 0
		}
		p.ID, p.GridPos.X, p.GridPos.Y = i+1, x, y
		x, height = x+p.GridPos.W, max(height, p.GridPos.H)
	}
	return panels
}
