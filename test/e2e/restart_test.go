package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"fonster.dev/fonster/test/cluster"
)

// TestRestartRefusesNothingUngoverned: while the API server starts, it does not know what a Gate is, and refuses what policies match that
// read one. Where nothing governs, nothing is refused all the while; where a closed window does, nothing passes. It starts twice; when
// soaking until it has been slow to know.
func TestRestartRefusesNothingUngoverned(t *testing.T) {
	c := lend(t, "spare", cluster.Elected)
	operate(t, c)
	namespace(t, "restart-closed")
	namespace(t, "restart-free")
	d, free := deployment(t, "restart-closed", "web", 1), deployment(t, "restart-free", "web", 1)
	window(t, "restart-closed", "restart-closed", nextYear(), everyDisruption)

	stop := make(chan bool)
	var group sync.WaitGroup
	asked := map[string]int{}
	var mu sync.Mutex
	each := func(what string, do func(i int) error, check func(error) bool) {
		group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
				}
				err := do(i)
				switch {
				case err == nil || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || strings.Contains(err.Error(), "denied"):
				default:
					continue // nobody answers, or it is not ready yet
				}
				if !check(err) {
					t.Errorf("%s: %v", what, err)
				}
				mu.Lock()
				asked[what]++
				mu.Unlock()
			}
		})
	}
	passes := func(err error) bool { return err == nil }
	refused := func(err error) bool { return err != nil }
	each("a rollout where nothing governs", func(i int) error { return setImage(t.Context(), c.Admin, free, fmt.Sprintf("app:%d", i)) }, passes)
	each("a label of a Namespace that is not governed", func(i int) error {
		return c.Admin.Patch(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "restart-free"}}, mergePatch(`{"metadata":{"labels":{"n":"%d"}}}`, i))
	}, passes)
	each("creating and deleting a pod where nothing governs", func(int) error {
		p := newPod()("restart-free")
		p.SetGenerateName("p-")
		if err := c.Admin.Create(t.Context(), p); err != nil {
			return err
		}
		return c.Admin.Delete(t.Context(), p, client.GracePeriodSeconds(0))
	}, passes)
	each("a rollout behind a closed window", func(i int) error {
		return setImage(t.Context(), client.NewDryRunClient(c.Admin), d, fmt.Sprintf("app:%d", i))
	}, refused)
	starts, slow, least, most, answers := 0, 0, 2, 2, 10
	if soak {
		least, most, answers = 3, 10, 20
	}
	for ; starts < least || slow == 0 && starts < most; starts++ { // about one in three, with etcd, does not know what a Gate is for half a minute
		if err := c.Restart(); err != nil { // together with etcd it is slow more often
			t.Fatal(err)
		}
		started := time.Now()
		eventually(t, time.Minute, func() error {
			err := setImage(t.Context(), client.NewDryRunClient(c.Admin), d, "app:9")
			if err == nil || !strings.Contains(err.Error(), "Rollout of Deployment restart-closed/web is outside") {
				return fmt.Errorf("not judged by its Gate yet: %v", err)
			}
			return nil
		})
		if time.Since(started) > 5*time.Second {
			slow++
		}
		time.Sleep(2 * time.Second)
	}
	close(stop)
	group.Wait()
	fmt.Printf("probe restarts of the API server: %d of %d slow to know what a Gate is; answered meanwhile: %v\n", slow, starts, asked)
	for _, n := range asked {
		if n < answers {
			t.Errorf("too few were answered: %v", asked)
		}
	}
}
