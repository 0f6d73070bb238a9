package rollout

import (
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"fonster.dev/fonster/internal/rollout"
	"fonster.dev/fonster/internal/write"
)

// TestProgress: what kstatus does not tell, or tells of another rollout.
func TestProgress(t *testing.T) {
	released := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	deployment := func(spec, updated string) string {
		return fmt.Sprintf(`{"kind":"Deployment","spec":{"replicas":2,%s"progressDeadlineSeconds":60},"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":1,
			"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","lastUpdateTime":%q}]}}`, spec, updated)
	}
	statefulSetOf := func(replicas int, partition, current, update string, updated int) string {
		return fmt.Sprintf(`{"kind":"StatefulSet","metadata":{"labels":{"maintenance.fonster.dev/held-partition":%q}},"spec":{"replicas":3,"ordinals":{"start":1}},
			"status":{"observedGeneration":1,"replicas":%d,"updatedReplicas":%d,"currentRevision":%q,"updateRevision":%q}}`, partition, replicas, updated, current, update)
	}
	statefulSet := func(partition, current, update string, updated int) string {
		return statefulSetOf(3, partition, current, update, updated)
	}
	oldLeft := func(available int) string {
		return fmt.Sprintf(`{"kind":"Deployment","spec":{"replicas":1},"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":1,"availableReplicas":%d}}`, available)
	}
	const before, after = "2026-11-28T08:00:00Z", "2026-11-28T09:00:30Z"
	for title, tc := range map[string]struct {
		object   string
		released bool
		at       time.Duration // since the release
		want     rollout.Progress
	}{
		"failed since its release":                    {deployment("", after), true, time.Minute, rollout.Failed},
		"failed before its release":                   {deployment("", before), true, time.Second, rollout.Running},
		"failed before, and never got anywhere":       {deployment("", before), true, time.Minute, rollout.Failed},
		"only old pods are left, just now":            {oldLeft(2), true, time.Hour + time.Second, rollout.Running},
		"only old pods are left, for long":            {oldLeft(2), true, time.Hour + time.Minute, rollout.Stalled},
		"a new pod is not available, for long":        {oldLeft(1), true, time.Hour + time.Minute, rollout.Running},
		"paused by its user":                          {deployment(`"paused":true,`, before), true, time.Second, rollout.Stopped},
		"a DaemonSet stopped by its user":             {`{"kind":"DaemonSet","spec":{"updateStrategy":{"type":"OnDelete"}},"status":{"observedGeneration":1,"desiredNumberScheduled":3,"updatedNumberScheduled":1}}`, true, 0, rollout.Stopped},
		"taken back":                                  {statefulSet("0", "a", "a", 3), false, 0, rollout.TakenBack},
		"taken back with a pod of the change":         {statefulSet("0", "a", "a", 2), false, 0, rollout.Running},
		"a change":                                    {statefulSet("0", "a", "b", 0), false, 0, rollout.Running},
		"taken back to what a partition keeps apart":  {statefulSet("3", "a", "b", 1), false, 0, rollout.TakenBack},
		"another change behind a partition":           {statefulSet("3", "a", "c", 0), false, 0, rollout.Running},
		"one revision, whatever the partition":        {statefulSet("3", "a", "a", 2), false, 0, rollout.Running},
		"a change that the controller has not seen":   {`{"kind":"Deployment","metadata":{"generation":2},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1}}`, false, 0, rollout.Running},
		"a Deployment whose change has been undone":   {`{"kind":"Deployment","metadata":{"generation":2},"status":{"observedGeneration":2,"replicas":2,"updatedReplicas":2}}`, false, 0, rollout.TakenBack},
		"a Deployment whose only pod is missing":      {`{"kind":"Deployment","spec":{"replicas":1},"status":{"observedGeneration":1}}`, false, 0, rollout.Running},
		"a StatefulSet whose pods are missing":        {statefulSetOf(1, "1", "a", "b", 0), false, 0, rollout.Running},
		"a DaemonSet of which one pod is not updated": {`{"kind":"DaemonSet","status":{"desiredNumberScheduled":2,"updatedNumberScheduled":1}}`, false, 0, rollout.Running},
	} {
		t.Run(title, func(t *testing.T) {
			o := &unstructured.Unstructured{}
			if err := o.UnmarshalJSON([]byte(`{"apiVersion":"apps/v1",` + tc.object[1:])); err != nil {
				t.Fatal(err)
			}
			_ = unstructured.SetNestedSlice(o.Object, []any{
				map[string]any{"manager": write.FieldManager, "time": released.Format(time.RFC3339)},
				map[string]any{"manager": "kubectl", "time": released.Add(time.Hour).Format(time.RFC3339)},
			}, "metadata", "managedFields")
			got, message, until := progress(o, tc.released, released.Add(tc.at))
			if got != tc.want {
				t.Errorf("%d (%s), want %d", got, message, tc.want)
			}
			if title == "failed before its release" && !until.Equal(released.Add(time.Minute)) {
				t.Errorf("to be asked again at %s", until)
			}
		})
	}
}

// TestRefused: whom a refusal is about.
func TestRefused(t *testing.T) {
	web := schema.GroupResource{Group: "apps", Resource: "deployments"}
	for title, tc := range map[string]struct {
		err  error
		want bool
	}{
		"a policy":                        {apierrors.NewForbidden(web, "web", errors.New("ValidatingAdmissionPolicy 'theirs' with binding 'theirs' denied request: no")), true},
		"a quota":                         {apierrors.NewForbidden(web, "web", errors.New("exceeded quota")), true},
		"a webhook that is down":          {apierrors.NewInternalError(errors.New("failed calling webhook theirs")), true},
		"no rights, as read so far":       {apierrors.NewForbidden(web, "web", errors.New(`User "fonster" cannot patch resource "deployments" in API group "apps"`)), false},
		"a policy whose param is unknown": {apierrors.NewForbidden(web, "web", errors.New("denied request: failed to configure policy: failed to find resource referenced by paramKind")), false},
		"admission that begins":           {apierrors.NewForbidden(web, "web", errors.New("not yet ready to handle request")), false},
		"storage":                         {apierrors.NewInternalError(errors.New("etcdserver: leader changed")), false},
		"a conflict":                      {apierrors.NewConflict(web, "web", errors.New("modified")), false},
	} {
		if got := refused(tc.err); got != tc.want {
			t.Errorf("%s: %v, want %v", title, got, tc.want)
		}
	}
}
