package conform_test

import (
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"vigil/engine/ledger/conform"
	"vigil/engine/ledger/conform/stand"
)

func bed(bug string) stand.Bed {
	return stand.Bed{New: func(testing.TB) stand.Place { return newDesk(bug) }}
}

// TestPlainConforms: a ledger of maps passes, so what is asked is not how SQLite
// does it.
func TestPlainConforms(t *testing.T) { conform.Run(t, bed("")) }

// bugs are planted into the plain store, each with the check that must find it.
var bugs = map[string]string{
	"the zone of a hold is forgotten":            "RestartForgetsNothing",
	"what was refused is half there":             "CommitIsAllOrNothing",
	"the version of a policy is not compared":    "CommitFollowsTheModel",
	"the version of a firing is not compared":    "VersionsCount",
	"nothing is too large":                       "BoundsAreKept",
	"the position goes back":                     "PositionNeverGoesBack",
	"an id is told from memory":                  "WritersAtOnceAreWhole",
	"a snapshot of two moments":                  "ReadsAreOfOneMoment",
	"who is gone is served":                      "WhoStoppedWaitingChangesNothing",
	"each start is an unclean one":               "UncleanStartsAreCounted",
	"an answer before it is kept":                "CrashLosesNothingAcknowledged",
	"what failed is half there":                  "FailureIsToldAndLeavesNothingHalf",
	"a failure is not told":                      "FailureIsToldAndLeavesNothingHalf",
	"what needs a person is trimmed":             "TrimmingKeepsWhatIsNotOver",
	"the gates are asked before the transaction": "TwoWorkersCannotBothPassOneLimit",
	"whoever claims gets it":                     "OneRemediationIsClaimedOnce",
	"two act on one subject":                     "OneOpenAttemptPerSubject",
	"the firing behind a claim is not compared":  "ClaimComparesVersions",
	"a claim is told before its decision":        "ClaimComesWithItsDecision",
	"what is verified counts as finished":        "UnfinishedIsWhatACrashLeft",
	"what was captured is forgotten":             "AttemptsComeBackWhole",
	"a breaker is forgotten at the start":        "GateStateSurvivesRestart",
	"every start is recent":                      "HistoryStopsAtTheFirstOldStart",
	"the past is told by the wall clock":         "HistoryStandsFirmWhenClocksMove",
	"whoever came first is due first":            "DueIsInOrderAndOnTime",
	"the total is that of the page":              "ListingFilters",
	"the cursor is a number of rows":             "PagesStandStill",
	"what was counted once is counted":           "TallyIsWhatACountSays",
	"an object is found by its beginning":        "AuditIsReadBack",
	"whoever prunes needs no hash":               "ExportThenPrune",
	"a token is made in silence":                 "TokenChangesAreAuditedTogether",
	"answers are never forgotten":                "ReplaysAreKept",
	"numbers come back":                          "RestartForgetsNothingOfDesiredState",
	"two revisions are under way":                "DesiredStateIsAllOrNothing",
	"the last settled step stays":                "DesiredStateFollowsTheModel",
	"a return counts as landed":                  "KeeperStartsFromWhatMatters",
	"what ended stands":                          "DesiredListings",
	"two entries have one name":                  "EntriesOfTheRepositoryAreKeptWhole",
	"checks are added to those that were":        "ChecksOfTheRepositoryAreKeptWhole",
}

// TestConformanceFindsPlantedBugs: each check fails where what it asks for does not
// hold, and no check is without a bug that it finds.
func TestConformanceFindsPlantedBugs(t *testing.T) {
	for name, value := range map[string]string{"rapid.shrinktime": "1ns", "rapid.nofailfile": "true"} {
		was := flag.Lookup(name).Value.String()
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
		defer flag.Set(name, was)
	}
	found := map[string]bool{}
	for bug, name := range bugs {
		i := slices.IndexFunc(conform.Checks(), func(c stand.Check) bool { return c.Name == name })
		if i < 0 {
			t.Errorf("there is no check %s for %q", name, bug)
			continue
		}
		found[name] = true
		w := &witness{TB: t}
		if w.try(func() { conform.Checks()[i].Do(stand.New(w, bed(bug))) }); !w.Failed() {
			t.Errorf("%s does not find that %s", name, bug)
		}
	}
	for _, c := range conform.Checks() {
		if !found[c.Name] {
			t.Errorf("nobody has seen %s fail", c.Name)
		}
	}
}

// witness is a test that may fail without anybody minding.
type witness struct {
	testing.TB
	mu     sync.Mutex
	said   []string
	ends   []func()
	failed bool
}

func (w *witness) try(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				w.Error("panic: ", r)
			}
			for _, end := range slices.Backward(w.ends) {
				end()
			}
		}()
		do()
	}()
	<-done
}

func (w *witness) say(s string) { w.mu.Lock(); w.said = append(w.said, s); w.mu.Unlock() }

func (w *witness) Fail()                        { w.mu.Lock(); w.failed = true; w.mu.Unlock() }
func (w *witness) Failed() bool                 { w.mu.Lock(); defer w.mu.Unlock(); return w.failed }
func (w *witness) FailNow()                     { w.Fail(); runtime.Goexit() }
func (w *witness) Log(args ...any)              { w.say(fmt.Sprint(args...)) }
func (w *witness) Logf(format string, a ...any) { w.say(fmt.Sprintf(format, a...)) }
func (w *witness) Error(args ...any)            { w.Log(args...); w.Fail() }
func (w *witness) Errorf(f string, args ...any) { w.Logf(f, args...); w.Fail() }
func (w *witness) Fatal(args ...any)            { w.Log(args...); w.FailNow() }
func (w *witness) Fatalf(f string, args ...any) { w.Logf(f, args...); w.FailNow() }
func (w *witness) Cleanup(end func())           { w.ends = append(w.ends, end) }
func (w *witness) Helper()                      {}

// TestTheSuiteKnowsNoStore: it imports the nouns of the engine and itself, so that a
// store in another house could be put through it.
func TestTheSuiteKnowsNoStore(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "*/*.go"} {
		some, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, some...)
	}
	if len(files) < 10 {
		t.Fatalf("only %v", files)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range f.Imports {
			path := strings.Trim(im.Path.Value, `"`)
			if strings.HasPrefix(path, "vigil/engine/ledger/") && !strings.HasPrefix(path, "vigil/engine/ledger/conform") ||
				path == "vigil/engine/ledger" || strings.Contains(path, "sql") || strings.HasPrefix(path, "vigil/engine/tsdb") {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
