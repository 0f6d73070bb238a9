package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// seconds is how long the long tests take on two cores; each of the others counts as 3.
var seconds = map[string]int{
	"TestRules": 250, "TestHold": 100, "TestUndeploy": 95, "TestOrdinaryHour": 90, "TestPoliciesAreMissed": 45, "TestTypeChecking": 45, "TestOperatorLast": 110,
	"TestTrainKilled": 80, "TestTrainAPIServerRestarts": 70, "TestObserve": 70, "TestLeaseLost": 80, "TestOverrides": 60, "TestTrain": 60,
	"TestReplay": 55, "TestRestartRefusesNothingUngoverned": 50, "TestMissingIsTold": 40, "TestUninstall": 40, "TestHealing": 40,
	"TestWithoutMutatingPolicies": 40, "TestOneIdentityForAllControllers": 35, "TestNothingIsStranded": 35, "TestTrainRules": 30,
	"TestManyLargeWindows": 25, "TestHeldAndItsUsers": 25, "TestPlantedNotes": 25, "TestTenantsShareATrain": 20, "TestProtectedNamespaces": 15,
	"TestExemptByConfiguration": 15, "TestEdgesAreCountedOnce": 18, "TestPageFollowsTheGate": 15, "TestAttackByPlantedTimes": 15, "TestWait": 15,
	"TestAttackByOwnAccount": 12, "TestReleaseByTheOperator": 12, "TestCostlySchedules": 10, "TestRelease": 10, "TestEdges": 11,
}

// chooseShard has this process run one part of the tests, on a cluster of its own: FONSTER_SHARD=2/3 the second of three. Each part takes
// about as long as the others. A -run of the command line chooses first.
func chooseShard() error {
	spec := os.Getenv("FONSTER_SHARD")
	if spec == "" {
		return nil
	}
	var shard, of int
	if _, err := fmt.Sscanf(spec, "%d/%d", &shard, &of); err != nil || shard < 1 || shard > of {
		return fmt.Errorf("FONSTER_SHARD=%s: want a part and how many there are, as in 2/3", spec)
	}
	run := flag.Lookup("test.run").Value
	out, err := exec.Command(os.Args[0], "-test.list", cmp.Or(run.String(), ".")).Output()
	if err != nil {
		return fmt.Errorf("listing the tests: %w", err)
	}
	tests := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !strings.HasPrefix(name, "Test") })
	return run.Set("^(" + strings.Join(part(tests, shard, of), "|") + ")$")
}

// part is the tests of one of several parts: the longest first, each goes where least is yet; with it those that share a cluster with it.
func part(tests []string, shard, of int) []string {
	groups := map[string][]string{}
	for _, test := range tests {
		group := test
		for name, users := range lent {
			if slices.Contains(users, test) {
				group = name
			}
		}
		groups[group] = append(groups[group], test)
	}
	cost := func(group string) (sum int) {
		for _, test := range groups[group] {
			sum += cmp.Or(seconds[test], 3)
		}
		return sum
	}
	load, parts := make([]int, of), make([][]string, of)
	for _, group := range slices.SortedFunc(maps.Keys(groups), func(a, b string) int { return cmp.Or(cost(b)-cost(a), strings.Compare(a, b)) }) {
		least := slices.Index(load, slices.Min(load))
		load[least] += cost(group)
		parts[least] = append(parts[least], groups[group]...)
	}
	return parts[shard-1]
}

// listing says whether the tests are only to be listed, which takes no cluster.
func listing() bool { return flag.Lookup("test.list").Value.String() != "" }

// TestShards: together the parts are all tests, each once, and those that count for more are there.
func TestShards(t *testing.T) {
	out, err := exec.Command(os.Args[0], "-test.list", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	tests := strings.Fields(string(out))
	for _, of := range []int{1, 2, 3} {
		var all []string
		for shard := range of {
			all = append(all, part(tests, shard+1, of)...)
		}
		if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(tests))) {
			t.Errorf("of %d parts: %v", of, all)
		}
	}
	for name := range seconds {
		if !slices.Contains(tests, name) {
			t.Errorf("there is no test %s", name)
		}
	}
}
