package doors

import "strings"

// CEL over object and oldObject, which are apps/v1 workloads. Old status and old spec decide what is there to disrupt; a
// controller that has not yet seen the last change counts as busy, so that a race closes.

const (
	settled = `oldObject.status.?observedGeneration.orValue(0) >= oldObject.metadata.generation`

	// replicasExist: pods are there, or will be before the controller has looked again.
	replicasExist = `(oldObject.status.?replicas.orValue(0) > 0 || oldObject.spec.?replicas.orValue(1) > 0 && !(` + settled + `))`

	templateChanged = `object.spec.template != oldObject.spec.template`
)

const (
	deploymentUnfinished = `(!(` + settled + `) || oldObject.status.?updatedReplicas.orValue(0) < oldObject.status.?replicas.orValue(0))`

	deploymentRollout = replicasExist + ` && !object.spec.?paused.orValue(false) && (` +
		templateChanged +
		` || (oldObject.spec.?paused.orValue(false) || object.spec.?strategy != oldObject.spec.?strategy) && ` + deploymentUnfinished +
		`)`
)

const (
	statefulSetUnfinished = `(!(` + settled + `) || oldObject.status.?currentRevision != oldObject.status.?updateRevision)`

	newPartition = `object.spec.updateStrategy.?rollingUpdate.?partition.orValue(0)`
	oldPartition = `oldObject.spec.updateStrategy.?rollingUpdate.?partition.orValue(0)`

	// Ordinals run from start; with the partition past the last of them nothing is rolled out. Both sides are held against
	// the old replicas, so that scaling up passes.
	lastOrdinal = `oldObject.spec.?ordinals.?start.orValue(0) + oldObject.spec.?replicas.orValue(1)`
	newParked   = `(object.spec.updateStrategy.?type.orValue('') == 'OnDelete' || ` + newPartition + ` >= ` + lastOrdinal + `)`
	oldParked   = `(oldObject.spec.updateStrategy.?type.orValue('') == 'OnDelete' || ` + oldPartition + ` >= ` + lastOrdinal + `)`

	statefulSetRollout = replicasExist + ` && (object.spec.?ordinals != oldObject.spec.?ordinals || !` + newParked + ` && (` +
		templateChanged +
		` || (` + oldParked + ` || ` + newPartition + ` < ` + oldPartition +
		` || object.spec.updateStrategy.?rollingUpdate.?maxUnavailable != oldObject.spec.updateStrategy.?rollingUpdate.?maxUnavailable) && ` + statefulSetUnfinished +
		`))`
)

const (
	daemonPodsExist = `(oldObject.status.?currentNumberScheduled.orValue(0) + oldObject.status.?numberMisscheduled.orValue(0) > 0 || !(` + settled + `))`

	daemonSetUnfinished = `(!(` + settled + `) || oldObject.status.?updatedNumberScheduled.orValue(0) < oldObject.status.?desiredNumberScheduled.orValue(0))`

	// The DaemonSet controller takes pods off nodes that no longer fit at once, also under OnDelete.
	placementChanged = `(object.spec.template.spec.?nodeSelector != oldObject.spec.template.spec.?nodeSelector` +
		` || object.spec.template.spec.?nodeName != oldObject.spec.template.spec.?nodeName` +
		` || object.spec.template.spec.?affinity != oldObject.spec.template.spec.?affinity` +
		` || object.spec.template.spec.?tolerations != oldObject.spec.template.spec.?tolerations)`

	daemonSetRollout = daemonPodsExist + ` && (` + placementChanged +
		` || object.spec.updateStrategy.?type.orValue('') == 'RollingUpdate' && (` +
		templateChanged +
		` || object.spec.?updateStrategy != oldObject.spec.?updateStrategy && ` + daemonSetUnfinished +
		`))`
)

// The quick look, which comes first.
const (
	// The API server counts the generation up before admission, when the spec has changed; clients cannot set it.
	specChanged = `request.operation == 'DELETE' || object.metadata.generation != oldObject.metadata.generation`

	plainlyOpen = `d.state == 'Open' && !has(d.freezes) && (!has(d.closesAt) || !(object == null ? oldObject : object).metadata.?managedFields.orValue([]).exists(m, has(m.time) && m.time >= d.closesAt))`
)

// The decision. params is a Gate.
const (
	// The API server stamps each request into managedFields before admission: a time that is new is now. A client can forge
	// more times, so they may only tighten. When none is new (a second write in one second, a DELETE, a change that only
	// takes fields away), the old ones are a lower bound of now.
	varStamps    = `oldObject.metadata.?managedFields.orValue([]).filter(m, has(m.time)).map(m, m.time)`
	varNewStamps = `object == null ? [] : object.metadata.?managedFields.orValue([]).filter(m, has(m.time) && !(m.time in variables.stamps)).map(m, m.time)`
	varClock     = `variables.newStamps.size() > 0 ? variables.newStamps : variables.stamps`

	varNamespaceLabels = `namespaceObject.metadata.?labels.orValue({})`
	// The old labels decide which other windows open the gate: a request must not relabel its way into one.
	varObjectLabels = `oldObject.metadata.?labels.orValue({})`

	// A reason that this very request brings; the same text never opens the gate twice.
	varReason = `object == null || object.metadata.?annotations[?'maintenance.fonster.dev/override'] == oldObject.metadata.?annotations[?'maintenance.fonster.dev/override']` +
		` ? '' : object.metadata.?annotations[?'maintenance.fonster.dev/override'].orValue('')`

	varSubject = `request.kind.kind + ' ' + oldObject.metadata.namespace + '/' + oldObject.metadata.name`
)

// matches is CEL that says whether the selectors of overlap o reach the object.
var matches = matchesLabels("o.namespaceSelector", "variables.namespaceLabels") + " && " + matchesLabels("o.?objectSelector", "variables.objectLabels")

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

	overridden = `(variables.reason != '' && d.?reasonPatterns.orValue([]).all(p, variables.reason.matches(p))` +
		` && d.?windows.orValue([]).exists(w, authorizer.group('maintenance.fonster.dev').resource('maintenancewindows').name(w).check('override').allowed()))`

	inForce = `(f.?active.orValue(false) || has(f.startsAt) && variables.clock.exists(t, t >= f.startsAt))`
)

// open: ownOpen, or a window of another target is open that governs this object too.
var open = `(` + ownOpen +
	` || params.spec.?alsoOpen.orValue([]).exists(o, d.disruption in o.disruptions && !(has(o.closesAt) && variables.clock.exists(t, t >= o.closesAt)) && ` + matches + `))`
