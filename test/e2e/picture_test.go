package e2e

import (
	"encoding/json"
	"fmt"
	html "html/template"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// picture draws, where FONSTER_PICTURE names a file, what Prometheus answers to the panels' queries: ranges from the start until
// now, and instants at one moment. Grafana would draw it otherwise; the queries, titles and places are the dashboard's.
func (s *sight) picture(from, at time.Time) {
	file := os.Getenv("FONSTER_PICTURE")
	if file == "" {
		return
	}
	s.t.Helper()
	var board struct {
		Title  string
		Panels []*drawn
	}
	if err := json.Unmarshal([]byte(readConfig(s.t, "grafana/fonster.json")), &board); err != nil {
		s.t.Fatal(err)
	}
	until := time.Now()
	for _, p := range board.Panels {
		for i, q := range p.Targets {
			expr := strings.NewReplacer("$cluster", "e2e", "$__rate_interval", "10s", "$__range", "5m").Replace(q.Expr)
			parameters := url.Values{"query": {expr}, "start": {unix(from)}, "end": {unix(until)}, "step": {"1"}}
			how := "query_range"
			if q.Instant {
				parameters, how = url.Values{"query": {expr}, "time": {unix(at)}}, "query"
				if strings.HasPrefix(p.Title, "Planned") || strings.HasPrefix(p.Title, "Used") {
					parameters.Set("time", unix(until)) // counted when the window has closed
				}
			}
			answer, err := s.ask(s.t.Context(), how, parameters)
			if err != nil {
				s.t.Fatal(err)
			}
			for _, one := range answer {
				p.add(i, q.LegendFormat, one, from, until)
			}
		}
		p.finish()
	}
	page := filepath.Join(s.t.TempDir(), "page.html")
	out, err := os.Create(page)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	if err := drawing.Execute(out, board); err != nil {
		s.t.Fatal(err)
	}
	shot := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+s.t.TempDir(), "--window-size=1400,1720",
		"--screenshot="+file, "file://"+page)
	if text, err := shot.CombinedOutput(); err != nil {
		s.t.Fatalf("taking the picture: %v\n%s", err, text)
	}
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

// drawn is a panel with what it shows.
type drawn struct {
	Title, Type string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Expr, LegendFormat string
		Instant            bool
	}
	FieldConfig struct {
		Defaults struct {
			Unit string
			Max  *float64
		}
		Overrides []struct{ Properties []struct{ Value any } } // of a table: the unit of each target, in their order
	}

	Rows []row
	Max  float64
}

// row is one series: its last value, and for ranges the points, in hundredths of the time.
type row struct {
	Name, Text, Color string
	Value             float64
	Points            [][2]float64
}

var palette = []string{"#73bf69", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#fade2a", "#8ab8ff", "#ffa6b0"}

func (p *drawn) add(target int, legend string, one sample, from, until time.Time) {
	for key, value := range one.Metric {
		legend = strings.ReplaceAll(legend, "{{"+key+"}}", value)
	}
	if p.Type == "table" { // a column for each target
		name, cell := one.Metric["window"], text(fmt.Sprint(p.FieldConfig.Overrides[target].Properties[0].Value), number(one.Value))
		if i := slices.IndexFunc(p.Rows, func(r row) bool { return r.Name == name }); i >= 0 {
			p.Rows[i].Text += " · " + cell
		} else {
			p.Rows = append(p.Rows, row{Name: name, Text: cell})
		}
		return
	}
	r := row{Name: legend}
	for _, point := range one.Values {
		v := number(point)
		if !math.IsNaN(v) {
			r.Points = append(r.Points, [2]float64{(point[0].(float64) - float64(from.UnixMilli())/1000) / until.Sub(from).Seconds() * 100, v})
			r.Value = v
			p.Max = max(p.Max, v)
		}
	}
	if len(one.Values) == 0 {
		r.Value = number(one.Value)
		p.Max = max(p.Max, r.Value)
	}
	r.Text = text(p.FieldConfig.Defaults.Unit, r.Value)
	p.Rows = append(p.Rows, r)
}

func number(point [2]any) float64 {
	v, _ := strconv.ParseFloat(fmt.Sprint(point[1]), 64)
	return v
}

func text(unit string, v float64) string {
	switch unit {
	case "dateTimeAsIso":
		return time.UnixMilli(int64(v)).UTC().Format(time.DateTime)
	case "dtdhms":
		d := time.Duration(v) * time.Second
		return fmt.Sprintf("%d d %02d:%02d:%02d", d/(24*time.Hour), d/time.Hour%24, d/time.Minute%60, d/time.Second%60)
	case "s":
		return time.Duration(v * float64(time.Second)).Round(100 * time.Millisecond).String()
	case "percentunit":
		return fmt.Sprintf("%.0f %%", v*100)
	}
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// finish orders and colours the rows; a table keeps the order of its query.
func (p *drawn) finish() {
	if p.Type != "table" {
		slices.SortStableFunc(p.Rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	}
	for i := range p.Rows {
		p.Rows[i].Color = palette[i%len(palette)]
	}
	if whole := p.FieldConfig.Defaults.Max; whole != nil {
		p.Max = *whole
	} else if p.Max == 0 {
		p.Max = 1
	}
}

// Top is the greatest value, at the upper edge.
func (p *drawn) Top() string { return text(p.FieldConfig.Defaults.Unit, p.Max) }

// Line is a row's path in a box of 100 by 100.
func (p *drawn) Line(r row) string {
	var b strings.Builder
	for i, at := range r.Points {
		verb := "L"
		if i == 0 || at[0]-r.Points[i-1][0] > 4 { // nothing in between
			verb = "M"
		}
		fmt.Fprintf(&b, "%s%.2f %.2f ", verb, at[0], 96-at[1]/p.Max*90)
	}
	return b.String()
}

// band is a stretch of one state.
type band struct {
	X, W  float64
	Color string
}

// Bands are the stretches of a row of states.
func (p *drawn) Bands(r row) []band {
	var bands []band
	for _, at := range r.Points {
		color := map[float64]string{0: "#5a5f6b", 1: "#73bf69", 2: "#5794f2"}[at[1]]
		if last := len(bands) - 1; last >= 0 && at[0]-bands[last].X-bands[last].W < 4 { // else nothing was known in between
			bands[last].W = at[0] - bands[last].X
			if bands[last].Color == color {
				continue
			}
		}
		bands = append(bands, band{X: at[0], Color: color})
	}
	return bands
}

// Share is a value as a part of the greatest, in hundredths.
func (p *drawn) Share(r row) float64 { return r.Value / p.Max * 100 }

var drawing = html.Must(html.New("").Parse(`<!doctype html><meta charset="utf-8"><title>{{.Title}}</title><style>
body{margin:0;padding:14px;background:#111217;color:#d8d9da;font:13px "Liberation Sans",sans-serif}
h1{font-size:18px;margin:0 0 10px} main{display:grid;grid-template-columns:repeat(24,1fr);grid-auto-rows:29px;gap:6px}
section{background:#181b1f;border:1px solid #2c3038;padding:6px 10px;overflow:hidden;display:flex;flex-direction:column}
h2{font-size:12px;margin:0 0 4px;font-weight:bold} .stat{font-size:40px;color:#73bf69;margin:auto}
td{padding:3px 24px 3px 0} svg{width:100%;flex:1;min-height:0} .keys{font-size:11px} .keys b{margin-left:10px}
.bar{display:grid;grid-template-columns:170px 1fr 90px;gap:8px;align-items:center;margin:3px 0} .bar i{height:16px;display:block;background:#5794f2}
.bar svg{height:16px} .none{margin:auto;color:#777}
</style><h1>{{.Title}}</h1><main>
{{range $p := .Panels}}<section style="grid-column:span {{.GridPos.W}};grid-row:span {{.GridPos.H}}"><h2>{{.Title}}</h2>
{{if not .Rows}}<p class="none">no data</p>
{{else if eq .Type "stat"}}{{range .Rows}}<div class="stat">{{.Text}}</div>{{end}}
{{else if eq .Type "table"}}<table>{{range .Rows}}<tr><td>{{.Name}}<td>{{.Text}}{{end}}</table>
{{else if eq .Type "bargauge"}}{{range .Rows}}<div class="bar"><span>{{.Name}}</span><svg viewBox="0 0 100 10" preserveAspectRatio="none"><rect width="{{$p.Share .}}" height="10" fill="{{.Color}}"/></svg><span>{{.Text}}</span></div>{{end}}
{{else if eq .Type "state-timeline"}}{{range .Rows}}{{$r := .}}<div class="bar"><span>{{.Name}}</span><svg viewBox="0 0 100 10" preserveAspectRatio="none">{{range $p.Bands .}}<rect x="{{.X}}" width="{{.W}}" height="10" fill="{{.Color}}"/>{{end}}</svg><span>{{if eq $r.Value 2.0}}frozen{{else if eq $r.Value 1.0}}open{{else}}closed{{end}}</span></div>{{end}}
{{else}}<svg viewBox="0 0 100 100" preserveAspectRatio="none">{{range .Rows}}<path d="{{$p.Line .}}" fill="none" stroke="{{.Color}}" stroke-width="2" vector-effect="non-scaling-stroke"/>{{end}}</svg>
<div class="keys">top: {{.Top}} {{range .Rows}}<b style="color:{{.Color}}">—</b> {{.Name}}{{end}}</div>{{end}}
</section>{{end}}</main>`))
