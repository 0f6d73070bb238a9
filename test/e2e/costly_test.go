package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/api/v1alpha1"
)

// TestCostlySchedules: whoever writes windows that cost as much as they can keeps nobody's window from opening in time, and nobody from
// reading the page.
func TestCostlySchedules(t *testing.T) {
	ns, other := testName(t), testName(t)+"-other"
	namespace(t, ns)
	namespace(t, other)
	d := deployment(t, ns, "web", 1)
	opens := time.Now().Add(12 * time.Second).Truncate(time.Second)
	if day(opens) != day(opens.Add(time.Minute)) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(opens, opens.Add(time.Minute)))
	governed(t, 5*time.Second, shared.Admin, d)
	cron := func(text string, lasts time.Duration) v1alpha1.Schedule {
		return v1alpha1.Schedule{Cron: new(text), Duration: &metav1.Duration{Duration: lasts}}
	}
	costly := []func(i int) v1alpha1.Schedule{
		func(int) v1alpha1.Schedule { return cron("* * * * *", 744*time.Hour) },
		func(int) v1alpha1.Schedule {
			return v1alpha1.Schedule{RRule: new("FREQ=DAILY;COUNT=2147483647"), StartDate: new("0001-01-01"), StartTime: new("09:00"), EndTime: new("10:00")}
		},
		func(i int) v1alpha1.Schedule {
			return cron(fmt.Sprintf("%d,%d-59 * * * *", i, i+1), 20*time.Hour+time.Duration(i)*time.Minute)
		},
	}
	for n := range 10 {
		mw := &v1alpha1.MaintenanceWindow{}
		mw.Name, mw.Spec.TimeZone = fmt.Sprintf("%s-%d", other, n), "Europe/Stockholm"
		mw.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": other}}
		for i := range 32 {
			mw.Spec.Schedules = append(mw.Spec.Schedules, costly[n%len(costly)](i))
		}
		create(t, mw)
	}
	slowest := time.Duration(0)
	for time.Until(opens) > time.Second {
		begin := time.Now()
		response, err := (&http.Client{Timeout: 30 * time.Second}).Get(pages.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("the page answers %d", response.StatusCode)
		}
		slowest = max(slowest, time.Since(begin))
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(time.Until(opens))
	eventually(t, 3*time.Second, func() error { return setImage(t.Context(), client.NewDryRunClient(shared.Admin), d, "app:2") })
	t.Logf("opened %v after its edge; the page took %v at most", time.Since(opens), slowest)
	if slowest > 10*time.Second {
		t.Errorf("the page took %v", slowest)
	}
	eventually(t, 20*time.Second, func() error {
		for n := range 10 {
			var mw v1alpha1.MaintenanceWindow
			if err := shared.Admin.Get(t.Context(), client.ObjectKey{Name: fmt.Sprintf("%s-%d", other, n)}, &mw); err != nil {
				return err
			}
			if mw.Status.ObservedGeneration != mw.Generation {
				return fmt.Errorf("%s has no status yet", mw.Name)
			}
		}
		return nil
	})
}
