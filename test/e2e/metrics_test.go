package e2e

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestMetrics: served to whoever may read them; a window's gauge is 1 exactly while it is open, and the timestamps are right.
func TestMetrics(t *testing.T) {
	ns := testName(t)
	namespace(t, ns)
	for _, account := range []string{"prometheus", "nobody"} {
		create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: account}})
	}
	create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: ns},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "fonster-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: ns, Name: "prometheus"}},
	})
	token := func(account string) string {
		token, err := shared.ServiceAccountToken(t.Context(), ns, account)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	reader := token("prometheus")
	eventually(t, 5*time.Second, func() error {
		status, _, err := operator.Metrics(t.Context(), reader)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("status %d: %w", status, err)
		}
		return nil
	})
	for account, bearer := range map[string]string{"no token": "", "an account without the right": token("nobody")} {
		if status, _, err := operator.Metrics(t.Context(), bearer); err != nil || status == http.StatusOK {
			t.Errorf("%s: status %d, %v", account, status, err)
		}
	}

	opens := time.Now().Add(5 * time.Second).Truncate(time.Second)
	closes := opens.Add(3 * time.Second)
	if day(opens) != day(closes) {
		t.Skip("midnight is near")
	}
	window(t, ns, ns, between(opens, closes))
	scrape := func() string {
		_, text, err := operator.Metrics(t.Context(), reader)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	value := func(text, metric string) string {
		for line := range strings.Lines(text) {
			if v, found := strings.CutPrefix(line, metric+`{window="`+ns+`"} `); found {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	check := func(when string, wantOpen, wantOpens, wantCloses string) {
		t.Helper()
		text := scrape()
		got := fmt.Sprint(value(text, "fonster_window_open"), " ", value(text, "fonster_window_opens_timestamp_seconds"), " ", value(text, "fonster_window_closes_timestamp_seconds"))
		if want := fmt.Sprint(wantOpen, " ", wantOpens, " ", wantCloses); got != want {
			t.Errorf("%s: open, opens, closes: %s; want %s", when, got, want)
		}
	}
	stamp := func(at time.Time) string { return strconv.FormatFloat(float64(at.Unix()), 'g', -1, 64) }
	check("before", "0", stamp(opens), "")
	time.Sleep(time.Until(opens.Add(20 * time.Millisecond)))
	check("just after the opening", "1", "", stamp(closes))
	time.Sleep(time.Until(closes.Add(-700 * time.Millisecond)))
	check("just before the closing", "1", "", stamp(closes))
	time.Sleep(time.Until(closes.Add(20 * time.Millisecond)))
	check("just after the closing", "0", "", "")
	for _, metric := range []string{
		`fonster_window_info{class="Planned",enforcement="Deny",time_zone="UTC",window="` + ns + `"} 1`,
		"fonster_transition_delay_seconds_count", "fonster_clock_skew_seconds", `fonster_gate_open{namespace="` + ns + `"} 0`, `fonster_gate_late_seconds{namespace="` + ns + `"} 0`,
	} {
		if !strings.Contains(scrape(), metric) {
			t.Errorf("no %s", metric)
		}
	}
}
