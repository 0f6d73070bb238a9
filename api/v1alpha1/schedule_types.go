package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Schedule says when something happens, in one of three forms:
//
//	dates: ["2021-06-19"], startTime: "09:00", endTime: "20:00"
//
//	rrule: FREQ=MONTHLY;BYDAY=3SA, startTime: "09:00", endTime: "20:00"
//
//	cron: "0 9 * * 6", duration: 11h
//
// All times are wall-clock times in spec.timeZone. A time that does not exist because clocks go forward is read with the
// offset before the change (02:30 becomes 03:30); a time that exists twice is the first of the two (RFC 5545, 3.3.5).
//
// +kubebuilder:validation:XValidation:rule="[has(self.dates), has(self.rrule), has(self.cron)].filter(form, form).size() == 1",message="exactly one of dates, rrule and cron must be set"
// +kubebuilder:validation:XValidation:rule="has(self.cron) || !has(self.dates) && !has(self.rrule) || has(self.startTime) && has(self.endTime) && !has(self.duration)",message="dates and rrule need startTime and endTime, and take no duration"
// +kubebuilder:validation:XValidation:rule="!has(self.cron) || has(self.duration) && !has(self.startTime) && !has(self.endTime)",message="cron needs duration, and takes no startTime or endTime"
// +kubebuilder:validation:XValidation:rule="has(self.rrule) || !has(self.startDate)",message="startDate goes with rrule only"
// +kubebuilder:validation:XValidation:rule="!has(self.rrule) || has(self.startDate) || !self.rrule.matches('(?i)(COUNT|INTERVAL)=') && self.rrule.matches('(?i)(FREQ=DAILY|BY[A-Z]+=)')",message="this rrule counts from a first day: give it as startDate"
type Schedule struct {
	// dates lists calendar days, as YYYY-MM-DD. Each day is an occurrence of its own.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=366
	// +kubebuilder:validation:items:MaxLength=32
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('0000') && (self.matches('^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$') || self.matches('^([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][48]|[2468]0|[13579][26])00)-02-29$'))",message="write an existing day as YYYY-MM-DD, such as 2027-06-19"
	Dates []string `json:"dates,omitempty"`

	// rrule is a recurrence rule of RFC 5545 (section 3.3.10) over days: FREQ is DAILY, WEEKLY, MONTHLY or YEARLY, and
	// BYHOUR, BYMINUTE and BYSECOND are not allowed, because startTime says the time. UNTIL is a date and inclusive.
	// Examples: FREQ=WEEKLY;BYDAY=SA,SU and FREQ=MONTHLY;BYDAY=3SA (the third Saturday of each month).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="self.matches('(?i)(^|;)FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;|$)')",message="FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY: the rule speaks of days, startTime and endTime of the time"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)BY(HOUR|MINUTE|SECOND)=')",message="BYHOUR, BYMINUTE and BYSECOND are not allowed: use startTime and endTime"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)(DTSTART|RRULE:|EXDATE|RDATE)')",message="give the bare rule, such as FREQ=WEEKLY;BYDAY=SA: DTSTART is startDate, EXDATE is exclusions"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)(^|;)UNTIL=') || self.matches('(?i)(^|;)UNTIL=[0-9]{8}(;|$)')",message="UNTIL must be a day without a time, as UNTIL=20271231, which is the last possible one"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(?i)(^|;)BYDAY=') || self.matches('(?i)(^|;)BYDAY=[+-]?[0-9]{0,2}(MO|TU|WE|TH|FR|SA|SU)(,[+-]?[0-9]{0,2}(MO|TU|WE|TH|FR|SA|SU))*(;|$)')",message="BYDAY must list MO, TU, WE, TH, FR, SA or SU; with FREQ=MONTHLY or YEARLY also with a number, such as 3SA, the third Saturday"
	RRule *string `json:"rrule,omitempty"`

	// startDate is the day from which rrule counts (the date of DTSTART), as YYYY-MM-DD. It may be left out where nothing
	// depends on it: no COUNT, no INTERVAL, and a BY part or FREQ=DAILY.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('0000') && (self.matches('^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$') || self.matches('^([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][48]|[2468]0|[13579][26])00)-02-29$'))",message="write an existing day as YYYY-MM-DD, such as 2027-06-19"
	StartDate *string `json:"startDate,omitempty"`

	// cron is a five-field cron expression (minute, hour, day of month, month, day of week) for the starts, read in
	// spec.timeZone. Example: "0 9 * * 6", Saturdays at 09:00. TZ= and CRON_TZ= are not allowed, nor are @daily and the like.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.contains('TZ=')",message="no TZ= in cron: the time zone is spec.timeZone"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[ \\\\t]*[^ \\\\t]+([ \\\\t]+[^ \\\\t]+){4}[ \\\\t]*$')",message="cron must have five fields: minute, hour, day of month, month, day of week"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[[:space:]]*[^[:space:]]+([[:space:]]+[^[:space:]]+){4}[[:space:]]*$') || self.matches('(?i)^[[:space:]]*([*?]|(0*[0-5]?[0-9])(-(0*[0-5]?[0-9]))?)(/[0-9]+)?(,([*?]|(0*[0-5]?[0-9])(-(0*[0-5]?[0-9]))?)(/[0-9]+)?)*[[:space:]]+([*?]|(0*(1?[0-9]|2[0-3]))(-(0*(1?[0-9]|2[0-3])))?)(/[0-9]+)?(,([*?]|(0*(1?[0-9]|2[0-3]))(-(0*(1?[0-9]|2[0-3])))?)(/[0-9]+)?)*[[:space:]]+([*?]|(0*([1-9]|[12][0-9]|3[01]))(-(0*([1-9]|[12][0-9]|3[01])))?)(/[0-9]+)?(,([*?]|(0*([1-9]|[12][0-9]|3[01]))(-(0*([1-9]|[12][0-9]|3[01])))?)(/[0-9]+)?)*[[:space:]]+([*?]|(0*([1-9]|1[0-2])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(-(0*([1-9]|1[0-2])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))?)(/[0-9]+)?(,([*?]|(0*([1-9]|1[0-2])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(-(0*([1-9]|1[0-2])|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))?)(/[0-9]+)?)*[[:space:]]+[^[:space:]]+[[:space:]]*$')",message="minute must be 0-59, hour 0-23, day of month 1-31, month 1-12 or JAN-DEC: each a value, a range such as 1-5, a step such as */2, or a list of them"
	// +kubebuilder:validation:XValidation:rule="!self.matches('^[[:space:]]*[^[:space:]]+([[:space:]]+[^[:space:]]+){4}[[:space:]]*$') || self.matches('(?i)[[:space:]]+([*?]|(0*[0-6]|sun|mon|tue|wed|thu|fri|sat)(-(0*[0-6]|sun|mon|tue|wed|thu|fri|sat))?)(/[0-9]+)?(,([*?]|(0*[0-6]|sun|mon|tue|wed|thu|fri|sat)(-(0*[0-6]|sun|mon|tue|wed|thu|fri|sat))?)(/[0-9]+)?)*[[:space:]]*$')",message="day of week must be 0-6 or SUN-SAT: Sunday is 0, not 7"
	Cron *string `json:"cron,omitempty"`

	// duration is how long each cron occurrence lasts, as elapsed time: an hour more or less on the clock when daylight
	// saving begins or ends in it. From 1m to 744h. Example: 11h.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(h|m|s|ms|us|ns))+)$') && duration(self) >= duration('1m') && duration(self) <= duration('744h')",message="must be a duration from 1m to 744h, such as 11h or 1h30m; days are not a unit: a day is 24h"
	Duration *metav1.Duration `json:"duration,omitempty"`

	// startTime is the wall-clock time at which each occurrence starts, as HH:MM or HH:MM:SS.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$')",message="must be a time from 00:00 to 23:59, as HH:MM or HH:MM:SS"
	StartTime *string `json:"startTime,omitempty"`

	// endTime is the wall-clock time at which each occurrence ends, as HH:MM or HH:MM:SS; 24:00 is the end of the day. At
	// or before startTime it means the next day: 22:00 to 04:00 belongs to the day on which it starts, and an endTime equal
	// to startTime lasts until that time the next day.
	// +optional
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:XValidation:rule="self.matches('^(([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?|24:00(:00)?)$')",message="must be a time from 00:00 to 24:00, as HH:MM or HH:MM:SS"
	EndTime *string `json:"endTime,omitempty"`
}

// Exclusion takes time out of the schedules. It has the same forms, and wins over them.
// +kubebuilder:validation:XValidation:rule="!has(self.reasons) || has(self.reason)",message="reasons are a reason in other languages: give reason too"
type Exclusion struct {
	Schedule `json:",inline"`

	// reason says to people why, such as: Annandag jul.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
	Reason string `json:"reason,omitempty"`

	// reasons are the reason in other languages, by BCP 47 tag, such as en: Boxing Day.
	// +optional
	// +kubebuilder:validation:MaxProperties=8
	// +kubebuilder:validation:XValidation:rule="self.all(tag, tag.matches('^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$'))",message="each key is the tag of a language, such as en"
	Reasons map[string]Reason `json:"reasons,omitempty"`
}

// Occurrence is one opening, half-open: start belongs to it, end does not.
type Occurrence struct {
	// start is the first instant of the occurrence.
	// +required
	Start metav1.Time `json:"start"`
	// end is the first instant after the occurrence.
	// +required
	End metav1.Time `json:"end"`
}

// Disruption is what a request does to a workload.
// +kubebuilder:validation:Enum=Rollout;ScaleDown;Delete;Evict
type Disruption string

const (
	// Rollout replaces pods: a changed pod template, or resuming a paused rollout.
	Rollout Disruption = "Rollout"
	// ScaleDown takes replicas away.
	ScaleDown Disruption = "ScaleDown"
	// Delete deletes a workload.
	Delete Disruption = "Delete"
	// Evict evicts a pod, as kubectl drain does.
	Evict Disruption = "Evict"
)

// Enforcement is what happens to a disruptive request outside the windows.
type Enforcement string

const (
	// Deny refuses the request.
	Deny Enforcement = "Deny"
	// Hold accepts the change and holds the rollout until a window opens.
	Hold Enforcement = "Hold"
	// Warn lets the request pass with a warning.
	Warn Enforcement = "Warn"
	// Audit lets the request pass without a word; the API server's audit log says what would have been refused.
	Audit Enforcement = "Audit"
)

// OverridePolicy says how an emergency may pass.
type OverridePolicy struct {
	// maxDuration is how long an override stands from when it is set. From 1m to 24h; default 1h.
	// +optional
	// +default="1h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,9}([.][0-9]{1,9})?(h|m|s|ms|us|ns))+)$') && duration(self) >= duration('1m') && duration(self) <= duration('24h')",message="must be a duration from 1m to 24h, such as 1h; days are not a unit: a day is 24h"
	MaxDuration *metav1.Duration `json:"maxDuration,omitempty"`

	// reasonPattern is a regular expression (RE2) that the reason of an override must match, such as ^(INC|CHG)-[0-9]+.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:XValidation:rule="''.matches(self) in [true, false]",message="must be a regular expression of RE2, such as ^INC-[0-9]+"
	// +kubebuilder:validation:XValidation:rule="!self.matches('[^\\\\P{Cc}\\\\n\\\\r\\\\t]')",message="must not contain control characters, but for line breaks and tabs"
	ReasonPattern string `json:"reasonPattern,omitempty"`
}
