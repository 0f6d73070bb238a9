package doors

import "strings"

// CEL that decides, and tells. params is a Gate; d is one of its disruptions.

const plainlyOpen = `d.state == 'Open' && !has(d.freezes) && (!has(d.closesAt) || !(` + allWriters + `).exists(m, has(m.time) && m.time >= d.closesAt))`

const (
	// The API server stamps each request into managedFields before admission: a time that is new is now. A client can forge
	// more times, also beforehand, so that now is not new when it comes; so times may only tighten, and the clock is all of them, old
	// and new: time runs forward, so the old ones of an honest request add nothing to its new one. When none is new (a second write in
	// one second, a DELETE, a change that only takes fields away), the old ones are a lower bound of now.
	varStamps    = `oldObject == null ? [] : oldObject.metadata.?managedFields.orValue([]).filter(m, has(m.time)).map(m, m.time)`
	varNewStamps = `object == null ? [] : object.metadata.?managedFields.orValue([]).filter(m, has(m.time) && !(m.time in variables.stamps)).map(m, m.time)`
	varClock     = `variables.stamps + variables.newStamps`

	// allWriters are the managedFields of the object before the request and after it.
	allWriters = `(oldObject == null ? [] : oldObject.metadata.?managedFields.orValue([])) + (object == null ? [] : object.metadata.?managedFields.orValue([]))`

	varNamespaceLabels = `namespaceObject.metadata.?labels.orValue({})`
)

// matchesLabels is CEL that says whether a selector, written with matchExpressions only, matches labels.
func matchesLabels(selector, labels string) string {
	return strings.NewReplacer("SELECTOR", selector, "LABELS", labels).Replace(
		`SELECTOR.?matchExpressions.orValue([]).all(r, r.operator == 'In' ? r.key in LABELS && LABELS[r.key] in r.values` +
			` : r.operator == 'NotIn' ? !(r.key in LABELS && LABELS[r.key] in r.values)` +
			` : r.operator == 'Exists' ? r.key in LABELS : !(r.key in LABELS))`)
}

const (
	// ownOpen: a window that governs the whole target is open, by the gate and by the clock.
	ownOpen = `(d.?open.orValue(false) && !(has(d.closesAt) && variables.clock.exists(t, t >= d.closesAt)))`

	inForce = `(f.?active.orValue(false) || has(f.startsAt) && variables.clock.exists(t, t >= f.startsAt))`

	// namespaceOnly: overlap o reaches everything in the namespace. Whose labels are not known is not let through for them.
	namespaceOnly = `!has(o.objectSelector)`
)

// reaches is CEL that says whether the selectors of overlap o reach the object. Its old labels decide which other windows
// open the gate: a request must not relabel its way into one.
func (f Family) reaches() string {
	namespace := matchesLabels("o.namespaceSelector", "variables.namespaceLabels")
	object := matchesLabels("o.?objectSelector", "variables.objectLabels")
	switch {
	case f.ByNamespace:
		return namespaceOnly + " && " + namespace
	case f.OfWorkload != "":
		object = "(" + f.OfWorkload + " ? " + namespaceOnly + " : " + object + ")"
	}
	return namespace + " && " + object
}

// selects is CEL that says whether the target of the gate has the object in it, before the request or after it, where its bindings do not
// say so already.
func (f Family) selects() string {
	return `(!has(params.spec.objectSelector) || ` + f.OfWorkload + ` || ` + matchesLabels("params.spec.objectSelector", oldLabels) +
		` || object != null && ` + matchesLabels("params.spec.objectSelector", newLabels) + `)`
}

// alsoOpen is CEL that lists the openings of other targets that reach the object, for some disruption that is attempted.
func alsoOpen(reaches, attempted string) string {
	return `params.spec.?alsoOpen.orValue([]).filter(o, o.disruptions.exists(d, ` + attempted + `) && ` + reaches + `)`
}

// entered is CEL that says whether new labels bring an object into an opening of another target that did not reach it before.
// What lies in a closed gate must not be opened by a change of its own labels.
func entered(reachesNew, reachesOld string) string {
	return `params.spec.?alsoOpen.orValue([]).exists(o, ` + reachesNew + ` && !(` + reachesOld + `))`
}

// open is CEL: ownOpen, or a window of another target is open that governs the object too.
const open = `(` + ownOpen + ` || variables.alsoOpen.exists(o, d.disruption in o.disruptions && !(has(o.closesAt) && variables.clock.exists(t, t >= o.closesAt))))`

// openings lists the openings to come for the first disruption that is outside its windows.
func openings(reaches string) string {
	return `(variables.outside[0].?opensAt.hasValue() ? [variables.outside[0]] : [])` +
		` + params.spec.?nextOpenings.orValue([]).filter(o, variables.outside[0].disruption in o.disruptions && ` + reaches + `)`
}

const (
	outsideStart = `' is outside its maintenance windows (' + variables.outside[0].?windows.orValue([]).join(', ') + '). '`

	nextOpening = `(variables.openings.size() == 0 ? 'No coming opening is known.'` +
		` : variables.openings.filter(o, variables.openings.all(p, o.opensAt <= p.opensAt)).map(o, 'Next opening: ' + o.opens + ', by ' + o.?opensWindow.orValue(o.?window.orValue('')) + '.')[0])`

	frozenText = `': change freeze ' + variables.frozen[0][0].name +` +
		` ' is in force' + (has(variables.frozen[0][0].ends) ? ' until ' + variables.frozen[0][0].ends : '') + ' (' + variables.frozen[0][0].reason +` +
		` '). It ends when its ChangeFreeze is changed or deleted' +` +
		` (variables.frozen[0][0].?overridable.orValue(false) ? '; an override passes it for whoever has the right to override it' +` +
		` variables.frozen[0][0].?also.orValue([]).map(n, ' and change freeze ' + n + ', which is in force too').join('') + '.' : '.')`

	// annotate tells how to let an emergency through.
	annotateNamespace = `' In an emergency: kubectl annotate namespace ' + request.namespace + ' maintenance.fonster.dev/override=REASON'` + annotateEnd
	annotateObject    = `' In an emergency: kubectl annotate -n ' + request.namespace + ' ' + request.resource.resource + '/' + oldObject.metadata.name + ' maintenance.fonster.dev/override=REASON'` + annotateEnd
	annotateEnd       = ` + params.spec.?overrides.?reasonPatterns.orValue([]).map(p, ' (matching ' + p + ')').join('') + ', which takes the right to override one of these windows.'`
)

func (f Family) frozenMessage() string {
	return `variables.freezing[0].disruption + ' of ' + variables.subject + variables.because + ` + frozenText + f.labelsNote()
}

func (f Family) outsideMessage() string {
	const start = `variables.outside[0].disruption + ' of ' + variables.subject + variables.because + ` + outsideStart + ` + ` + nextOpening
	if f.Name == workloads.Name {
		return start + ` + ` + annotateObject
	}
	return start + ` + ` + annotateNamespace + f.labelsNote()
}

// labelsNote explains a refusal to somebody whose workload the window does not select; empty where requests tell labels.
func (f Family) labelsNote() string {
	var note string
	switch f.Name {
	case scales.Name:
		note = "A scale request tells no labels, so all of the namespace is governed here: change spec.replicas itself where the objectSelector does not match."
	case creations.Name:
		note = "Who creates it chooses its labels, so all of the namespace is governed here."
	case autoscalers.Name:
		note = "The labels of an autoscaler are not those of its workload, so all of the namespace is governed here."
	case evictions.Name:
		note = "An eviction tells no labels that count, so all pods of the namespace are governed here."
	case replicas.Name:
		note = "ReplicaSets and ControllerRevisions do not carry the labels of their workloads, so those of all workloads of the namespace are governed here."
	default:
		return ""
	}
	return ` + (has(params.spec.objectSelector) ? ' ` + note + `' : '')`
}
