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

// seconds is how long the long tests take on two cores, TestRules with what it leaves to be done; each of the others counts as 3.
var seconds = map[string]int{
	"TestRules": 256, "TestUndeploy": 157, "TestOrdinaryHour": 124, "TestOperatorLast": 119, "TestObserve": 96, "TestLeaseLost": 88,
	"TestOverrides": 84, "TestTrainKilled": 81, "TestUninstall": 79, "TestTrainRules": 72, "TestNothingIsStranded": 66,
	"TestTrainAPIServerRestarts": 61, "TestTrain": 60, "TestHealing": 56, "TestOneIdentityForAllControllers": 56,
	"TestWithoutMutatingPolicies": 53, "TestManyLargeWindows": 50, "TestReplay": 50, "TestHeldAndItsUsers": 44, "TestMissingIsTold": 39,
	"TestTenantsShareATrain": 33, "TestPoliciesAreMissed": 32, "TestAttackByOwnAccount": 24, "TestPageForgivesAStopButton": 24,
	"TestRestartRefusesNothingUngoverned": 22, "TestEdgesAreCountedOnce": 20, "TestAttackByPlantedTimes": 17, "TestHeldCommand": 17,
	"TestHoldAndWrittenStrategies": 17, "TestPageFollowsTheGate": 17, "TestPlantedNotes": 17, "TestWait": 16, "TestEdges": 15,
	"TestHoldPolicyMissing": 15, "TestToldOnce": 15, "TestReleaseByTheOperator": 14, "TestServerSideApplyNeverConflicts": 14,
	"TestInstallTellsWhatIsLeft": 13, "TestOwnLease": 13, "TestUndoUnderHold": 13, "TestCostlySchedules": 12, "TestForgottenRelease": 12,
	"TestNoRightToBindings": 11, "TestRelease": 11, "TestTwoReplicas": 11, "TestOpenClosesByTheClock": 10, "TestUserPause": 10,
	"TestAttackByPodLabels": 9, "TestAttackByReleasedPods": 9, "TestFreeze": 9, "TestHeldWithoutPods": 9, "TestHold": 9,
	"TestOverrideEndsMidRollout": 9, "TestPageUnderLoad": 9, "TestGatedLabel": 8, "TestMetrics": 8, "TestMidRollout": 8,
	"TestVanishedWhileNoLeaderRan": 8, "TestBrokenSchedules": 7, "TestClockIsBlind": 7, "TestPlantedMark": 7, "TestRecipesForPipelines": 7,
	"TestOperatorWithoutRights": 6, "TestOverrideCommand": 6,
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
