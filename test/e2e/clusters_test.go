package e2e

import (
	"fmt"
	"os"
	"testing"

	"fonster.dev/fonster/test/cluster"
)

// aside has a test use a cluster instead of the shared one.
func aside(t *testing.T, c *cluster.Cluster) *cluster.Cluster {
	before := shared
	t.Cleanup(func() { shared = before })
	shared = c
	return c
}

// startCluster starts a cluster; more variables go to the script that does.
func startCluster(t *testing.T, name string, environment []string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(fmt.Sprintf("fonster-%s-%d", name, os.Getpid()), environment...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// alone starts a cluster that one test uses.
func alone(t *testing.T, name string, environment ...string) *cluster.Cluster {
	t.Helper()
	c := startCluster(t, name, environment)
	t.Cleanup(func() { _ = c.Stop() })
	return aside(t, c)
}

// lent are the clusters of tests that restart what others need, or want other controllers: each is started by the first of its tests, which
// come one after the other, and a part of the tests has all of them or none.
var lent = map[string][]string{
	"spare":  {"TestOperatorLast", "TestRestartRefusesNothingUngoverned"},
	"single": {"TestOneIdentityForAllControllers", "TestTypeChecking"},
}

var lending = map[string]*cluster.Cluster{}

// lend has a test use such a cluster, in which Fonster is installed and no operator runs; which is how it leaves it, too.
func lend(t *testing.T, name string, environment ...string) *cluster.Cluster {
	t.Helper()
	if lending[name] == nil {
		lending[name] = startCluster(t, name, environment)
	}
	return aside(t, lending[name])
}

// stopLent stops the clusters that were lent.
func stopLent() {
	for _, c := range lending {
		if err := c.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// operate runs the operator in a cluster, until the test ends.
func operate(t *testing.T, c *cluster.Cluster) *cluster.Operator {
	t.Helper()
	o, err := c.StartOperator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Kill)
	return o
}
