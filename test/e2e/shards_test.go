package e2e

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// seconds is how long the long tests take on two cores; each of the others counts as 3.
var seconds = map[string]int{
	"TestRules": 270, "TestUndeploy": 179, "TestOperatorLast": 135, "TestObserve": 110, "TestOrdinaryHour": 109, "TestHold": 100, "TestLeaseLost": 83,
	"TestTrainKilled": 78, "TestHealing": 68, "TestTrain": 64, "TestWithoutMutatingPolicies": 64, "TestUninstall": 60,
	"TestRestartRefusesNothingUngoverned": 56, "TestNothingIsStranded": 54, "TestOverrides": 53, "TestTrainRules": 51, "TestTrainAPIServerRestarts": 46,
	"TestOneIdentityForAllControllers": 45, "TestMissingIsTold": 41, "TestManyLargeWindows": 38, "TestHeldAndItsUsers": 36, "TestPoliciesAreMissed": 33,
	"TestPageForgivesAStopButton": 24, "TestTenantsShareATrain": 23, "TestAttackByOwnAccount": 22, "TestEdgesAreCountedOnce": 20, "TestReplay": 20,
	"TestServerSideApplyNeverConflicts": 20, "TestHoldAndWrittenStrategies": 19, "TestAttackByPlantedTimes": 17, "TestPageFollowsTheGate": 17,
	"TestHeldCommand": 16, "TestWait": 16, "TestReleaseByTheOperator": 13, "TestCostlySchedules": 12, "TestFreeze": 12, "TestOpenClosesByTheClock": 12,
	"TestRelease": 12, "TestUndoUnderHold": 12, "TestForgottenRelease": 11, "TestPlantedNotes": 11, "TestTwoReplicas": 11, "TestEdges": 10,
	"TestOwnLease": 10, "TestToldOnce": 10,
}

// chooseShard has this process run one part of the tests, on a cluster of its own: FONSTER_SHARD=2/3 the second of three. Each part takes
// about as long as the others. A -run and -skip of the command line choose first.
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
	skipped, err := regexp.Compile(cmp.Or(flag.Lookup("test.skip").Value.String(), "^$"))
	if err != nil {
		return fmt.Errorf("reading the names of the tests to skip: %w", err)
	}
	tests := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !strings.HasPrefix(name, "Test") || skipped.MatchString(name) })
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
