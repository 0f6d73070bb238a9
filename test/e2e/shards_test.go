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

// seconds is how long the long tests take on two cores beside other parts, by the clock (go test does not count what runs in parallel inside a
// test), TestRules with what it leaves to be done; each of the others counts as 2.
var seconds = map[string]int{
	"TestRules": 240, "TestAttacks": 180, "TestOperatorLast": 137, "TestUndeploy": 113, "TestHold": 100, "TestObserve": 91,
	"TestLeaseLost": 86, "TestOrdinaryHour": 85, "TestTrainKilled": 82, "TestUninstall": 73, "TestTrainRules": 70, "TestOverrides": 69,
	"TestHealing": 63, "TestNothingIsStranded": 53, "TestOneIdentityForAllControllers": 49, "TestTrainAPIServerRestarts": 46,
	"TestHeldAndItsUsers": 42, "TestTrain": 36, "TestManyLargeWindows": 33, "TestMissingIsTold": 30, "TestReplay": 30,
	"TestWithoutMutatingPolicies": 30, "TestPoliciesAreMissed": 27, "TestAttackByOwnAccount": 26, "TestPageForgivesAStopButton": 24,
	"TestHoldAndWrittenStrategies": 23, "TestInstallTellsWhatIsLeft": 23, "TestTenantsShareATrain": 23, "TestEdgesAreCountedOnce": 21,
	"TestRestartRefusesNothingUngoverned": 19, "TestPageFollowsTheGate": 18, "TestAttackByPlantedTimes": 17, "TestUndoUnderHold": 16,
	"TestWait": 16, "TestPlantedNotes": 14, "TestRelease": 14, "TestCostlySchedules": 13, "TestForgottenRelease": 13,
	"TestReleaseByTheOperator": 13, "TestEdges": 12, "TestHoldPolicyMissing": 11, "TestServerSideApplyNeverConflicts": 11, "TestToldOnce": 11,
	"TestTwoReplicas": 11, "TestAttackByReleasedPods": 10, "TestOpenClosesByTheClock": 10, "TestOwnLease": 10, "TestAttackByPodLabels": 9,
	"TestFreeze": 9, "TestHeldCommand": 9, "TestHeldWithoutPods": 9, "TestOverrideEndsMidRollout": 9, "TestPageUnderLoad": 9, "TestTurns": 9,
	"TestVanishedWhileNoLeaderRan": 9, "TestGatedLabel": 8, "TestMetrics": 8, "TestBrokenSchedules": 7, "TestOperatorWithoutRights": 7,
	"TestPlantedMark": 7, "TestRecipesForPipelines": 7, "TestClockIsBlind": 6, "TestNoRightToBindings": 6,
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
			sum += cmp.Or(seconds[test], 2)
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
