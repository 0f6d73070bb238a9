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
	"TestRules": 313, "TestObserve": 141, "TestOperatorLast": 115, "TestUndeploy": 107, "TestLeaseLost": 92, "TestTrainKilled": 90, "TestHold": 80,
	"TestOverrides": 73, "TestRestartRefusesNothingUngoverned": 70, "TestOrdinaryHour": 61, "TestHealing": 53, "TestTrainAPIServerRestarts": 49,
	"TestNothingIsStranded": 44, "TestTrainRules": 43, "TestUninstall": 41, "TestManyLargeWindows": 38, "TestTypeChecking": 35,
	"TestHeldAndItsUsers": 32, "TestOneIdentityForAllControllers": 32, "TestReplay": 27, "TestTrain": 27, "TestPageForgivesAStopButton": 25,
	"TestMissingIsTold": 24, "TestPoliciesAreMissed": 22, "TestTenantsShareATrain": 21, "TestWithoutMutatingPolicies": 21,
	"TestEdgesAreCountedOnce": 19, "TestAttackByOwnAccount": 17, "TestAttackByPlantedTimes": 17, "TestPageFollowsTheGate": 17, "TestWait": 15,
	"TestPlantedNotes": 13, "TestBrokenSchedules": 12, "TestCostlySchedules": 12, "TestReleaseByTheOperator": 12, "TestEdges": 11,
	"TestForgottenRelease": 11, "TestHeldCommand": 11, "TestInstallTellsWhatIsLeft": 11, "TestOwnLease": 11, "TestAttackByPodLabels": 10,
	"TestFreeze": 10, "TestOpenClosesByTheClock": 10, "TestToldOnce": 10, "TestTwoReplicas": 10, "TestUndoUnderHold": 10,
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
