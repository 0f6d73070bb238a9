package status

import (
	"fmt"
	"slices"

	"fonster.dev/fonster/internal/gate"
)

// overrules finds windows that refuse what a window with enforcement Hold would hold: the strictest counts. What it has found holds as
// long as windows and namespaces are the same.
type overrules struct {
	denies map[*gate.Governing][]*gate.Window
	told   map[string]string
}

func newOverrules() overrules {
	return overrules{denies: map[*gate.Governing][]*gate.Window{}, told: map[string]string{}}
}

// of says, for people, who refuses the rollouts of a target, and where; empty: nobody does.
func (o overrules) of(set *gate.Set, all *roster, target gate.Target) string {
	key := target.Namespaces.String() + "\x00" + target.Objects.String()
	if told, known := o.told[key]; known {
		return told
	}
	var where governed
	var first string
	for labels := range all.matching(target.Namespaces) {
		refusing := o.refusing(set.Of(labels.labels))
		i := slices.IndexFunc(refusing, func(w *gate.Window) bool { return w.Target.Objects.Overlaps(target.Objects) })
		if i < 0 {
			continue
		}
		if name := refusing[i].Name; first == "" || name < first {
			first = name
		}
		where.n += labels.n
		where.names = append(where.names, labels.names...)
	}
	told := ""
	if where.n > 0 {
		where.names = firstNames(where.names)
		told = fmt.Sprintf("%s refuses (Deny) what this window would hold, in %s", first, where)
	}
	o.told[key] = told
	return told
}

// refusing are the windows that refuse rollouts where these govern, of each objectSelector the first by name.
func (o overrules) refusing(g *gate.Governing) []*gate.Window {
	if g == nil {
		return nil
	}
	if known, is := o.denies[g]; is {
		return known
	}
	var list []*gate.Window
	seen := map[string]bool{}
	for _, w := range g.Windows {
		if key := w.Target.Objects.String(); w.Enforcement == gate.Deny && slices.Contains(w.Disruptions, gate.Rollout) && !seen[key] {
			seen[key] = true
			list = append(list, w)
		}
	}
	o.denies[g] = list
	return list
}
