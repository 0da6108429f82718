package egress_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const (
	grace    = time.Minute
	never    = livekit.EgressStatus(99)
	finished = livekit.EgressStatus_EGRESS_COMPLETE
)

// listed returns a stray that has been in its status for twice the grace period.
func listed(id string, s livekit.EgressStatus, change ...func(*egress.Listed)) egress.Listed {
	l := egress.Listed{ID: id, Room: "standup", RoomID: "RM_1", Status: s, Since: noon.Add(-2 * grace)}
	for _, f := range change {
		f(&l)
	}
	return l
}

func of(request string) func(*egress.Listed) {
	return func(l *egress.Listed) { l.RequestID = request }
}

func ago(d time.Duration) func(*egress.Listed) {
	return func(l *egress.Listed) { l.Since = noon.Add(-d) }
}

func timeless(l *egress.Listed) { l.Since = time.Time{} }
func others(l *egress.Listed)   { l.Others = true }
func roomless(l *egress.Listed) { l.Room, l.RoomID = "", "" }

// ours returns a workflow that has run for an hour.
func ours(request, egressID string, change ...func(*egress.Ours)) egress.Ours {
	o := egress.Ours{RequestID: request, EgressID: egressID, Room: "standup", StartedAt: noon.Add(-time.Hour)}
	for _, f := range change {
		f(&o)
	}
	return o
}

func over(o *egress.Ours)  { o.Over = true }
func young(o *egress.Ours) { o.StartedAt = noon.Add(-grace / 2) }
func web(o *egress.Ours)   { o.Room = "" }
func asked(ago time.Duration) func(*egress.Ours) {
	return func(o *egress.Ours) { o.StartedAt = noon.Add(-ago) }
}
func elsewhere(o *egress.Ours) {
	o.Room = "retro"
}

// plan returns what is to be done, in short: "adopted EG_1 as r", and so on.
func plan(deep bool, l []egress.Listed, o []egress.Ours) (did []string, p egress.Plan) {
	p = egress.PlanRound(egress.Sighting{
		At: noon, Deep: deep, First: noon.Add(-6 * time.Hour), Grace: egress.Duration(grace), Listed: l, Ours: o,
	})
	for _, s := range p.Measures {
		words := fmt.Sprintf("%s %s", s.Deed, s.EgressID)
		if s.RequestID != "" {
			words += " as " + s.RequestID
		}
		did = append(did, words)
	}
	for _, id := range p.Ask {
		did = append(did, "ask "+id)
	}
	if p.SeenBefore > 0 {
		did = append(did, fmt.Sprint("seen before ", p.SeenBefore))
	}
	if p.Waiting > 0 {
		did = append(did, fmt.Sprint("waiting ", p.Waiting))
	}
	return did, p
}

type sight struct {
	listed []egress.Listed
	ours   []egress.Ours
	want   []string
}

func all(l ...egress.Listed) []egress.Listed { return l }
func have(o ...egress.Ours) []egress.Ours    { return o }
func does(words ...string) []string          { return words }

func TestWhatRunsAtLiveKitHasItsWorkflow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]sight{
		"nothing at all":                        {},
		"a stray":                               {all(listed("EG_1", active)), nil, does("adopted EG_1 as EG_1")},
		"a stray that starts, and has for long": {all(listed("EG_1", starting)), nil, does("adopted EG_1 as EG_1")},
		"a stray that uploads":                  {all(listed("EG_1", ending)), nil, does("adopted EG_1 as EG_1")},
		"a web stray":                           {all(listed("EG_1", active, roomless)), nil, does("adopted EG_1 as EG_1")},
		"a stray without a time":                {all(listed("EG_1", active, timeless)), nil, does("adopted EG_1 as EG_1")},
		"a start that failed open":              {all(listed("EG_1", active, of("r"))), nil, does("adopted EG_1 as r")},

		"a stray that is just being started":      {all(listed("EG_1", active, ago(grace-1))), nil, does("waiting 1")},
		"a start of ours that is under way":       {all(listed("EG_1", starting, of("r"), ago(grace-1))), nil, does("waiting 1")},
		"a stray of exactly the grace":            {all(listed("EG_1", active, ago(grace))), nil, does("adopted EG_1 as EG_1")},
		"a clock that is behind LiveKit's":        {all(listed("EG_1", active, ago(-time.Hour))), nil, does("waiting 1")},
		"two strays":                              {all(listed("EG_2", active), listed("EG_1", active)), nil, does("adopted EG_1 as EG_1", "adopted EG_2 as EG_2")},
		"one of ours and a stray":                 {all(listed("EG_1", active, of("r")), listed("EG_2", active)), have(ours("r", "EG_1")), does("adopted EG_2 as EG_2")},
		"one of ours that runs":                   {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1")), nil},
		"one whose ID visibility does not know":   {all(listed("EG_1", active, of("r"))), have(ours("r", "")), nil},
		"one of ours, with a token of no key":     {all(listed("EG_1", active, others)), have(ours("r", "EG_1")), nil},
		"one that was adopted":                    {all(listed("EG_1", active)), have(ours("EG_1", "EG_1")), nil},
		"one that was adopted just now":           {all(listed("EG_1", active)), have(ours("EG_1", "")), nil},
		"one that we hold to be over":             {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", over)), nil},
		"a LiveKit without our token":             {all(listed("EG_1", active)), have(ours("r", "EG_1")), nil},
		"one without our token, and unbound":      {all(listed("EG_1", active)), have(ours("r", "")), does("waiting 1")},
		"… for as long as a start takes at most":  {all(listed("EG_1", active, ago(15*time.Minute-1))), have(ours("r", "")), does("waiting 1")},
		"… and no longer":                         {all(listed("EG_1", active, ago(15*time.Minute))), have(ours("r", "")), does("adopted EG_1 as EG_1")},
		"a stray beside a start in its room":      {all(listed("EG_1", active)), have(ours("r", ""), ours("s", "EG_2", elsewhere)), does("waiting 1", "ask EG_2")},
		"a stray beside a start elsewhere":        {all(listed("EG_1", active)), have(ours("r", "", elsewhere)), does("adopted EG_1 as EG_1")},
		"a web stray beside a web start of ours":  {all(listed("EG_1", active, roomless)), have(ours("r", "", web)), does("waiting 1")},
		"a stray that is older than the start":    {all(listed("EG_1", active, ago(6*time.Minute+1))), have(ours("r", "", asked(5*time.Minute)), ours("s", "", young)), does("adopted EG_1 as EG_1")},
		"… by no more than clocks differ":         {all(listed("EG_1", active, ago(6*time.Minute))), have(ours("s", "", young), ours("r", "", asked(5*time.Minute))), does("waiting 1")},
		"… or of unknown age":                     {all(listed("EG_1", active, timeless)), have(ours("r", "")), does("waiting 1")},
		"a stray beside a start that was refused": {all(listed("EG_1", active)), have(ours("r", "", over)), does("adopted EG_1 as EG_1")},
		"a failed-open one beside a start there":  {all(listed("EG_1", active, of("s"))), have(ours("r", "")), does("adopted EG_1 as s")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(false, tc.listed, tc.ours)
			require.ElementsMatch(t, tc.want, did)
		})
	}
}

func settledAs(s egress.Status) func(*egress.Ours) {
	return func(o *egress.Ours) { o.Over, o.Status = true, s }
}

func TestAVerdictThatTheListShowsToBeWrongIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	settled, closed := settledAs, func(o *egress.Ours) { o.ClosedAt = noon }
	const failure, abort = "EGRESS_FAILED", "EGRESS_ABORTED"
	again := does("nudged EG_1 as r")
	for name, tc := range map[string]sight{
		"failed, and it runs":                  {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", settled(failure))), again},
		"failed, and it has ended well":        {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1", settled(failure))), again},
		"failed, and another one runs":         {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled(failure))), does("twin EG_2 as r")},
		"lost, and another one runs":           {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled(egress.Lost))), does("twin EG_2 as r")},
		"failed, and another one has ended":    {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled(failure))), nil}, // a deep round shows it
		"complete, and another one runs":       {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled("EGRESS_COMPLETE"))), nil},
		"failed, closed, and another one runs": {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled(failure), closed)), does("adopted EG_2 as r")},
		"… that is just being started":         {all(listed("EG_2", starting, of("r"), ago(grace-1))), have(ours("r", "EG_1", settled(failure), closed)), does("waiting 1")},
		"… that has ended":                     {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled(failure), closed)), nil},
		"… that is adopted":                    {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled(failure), closed), ours("EG_2", "EG_2")), nil},
		"failed, as listed":                    {all(listed("EG_1", failed, of("r"))), have(ours("r", "EG_1", settled(failure))), nil},
		"failed, and it has run since now":     {all(listed("EG_1", active, of("r"), ago(grace-1))), have(ours("r", "EG_1", settled(failure))), does("waiting 1")},
		"failed, and nobody hears it any more": {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", settled(failure), closed)), nil},
		"aborted, and it failed":               {all(listed("EG_1", failed, of("r"))), have(ours("r", "EG_1", settled(abort))), again},
		"aborted, as listed":                   {all(listed("EG_1", aborted, of("r"))), have(ours("r", "EG_1", settled(abort))), nil},
		"lost, and LiveKit has its end":        {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1", settled(egress.Lost))), again},
		"lost, and LiveKit knows no better":    {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", settled(egress.Lost))), nil},
		"complete":                             {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", settled("EGRESS_COMPLETE"))), nil},
		"failed once, and it runs again":       {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1", func(o *egress.Ours) { o.Status = failure })), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(false, tc.listed, tc.ours)
			require.ElementsMatch(t, tc.want, did)
		})
	}
}

func TestWhatHasEndedIsHeardOfOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]sight{
		"its workflow has not heard":               {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"… and is not bound in visibility":         {all(listed("EG_1", finished, of("r"))), have(ours("r", "")), does("nudged EG_1 as r")},
		"… and has no token":                       {all(listed("EG_1", finished)), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"… and was adopted":                        {all(listed("EG_1", finished)), have(ours("EG_1", "EG_1")), does("nudged EG_1 as EG_1")},
		"… of a failed one":                        {all(listed("EG_1", livekit.EgressStatus_EGRESS_FAILED, of("r"))), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"… of one whose time LiveKit left out":     {all(listed("EG_1", finished, of("r"), timeless)), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"the webhook may be on its way":            {all(listed("EG_1", finished, of("r"), ago(grace-1))), have(ours("r", "EG_1")), does("waiting 1")},
		"its workflow tells the consumer":          {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1", over)), nil},
		"its workflow has completed":               {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1", over)), nil},
		"a stray that no round saw running":        {all(listed("EG_1", finished)), nil, does("adopted EG_1 as EG_1")},
		"a failed-open one without a webhook":      {all(listed("EG_1", finished, of("r"))), nil, does("adopted EG_1 as r")},
		"a stray whose webhook may come":           {all(listed("EG_1", finished, ago(1))), nil, does("waiting 1")},
		"a stray of before the first round":        {all(listed("EG_1", finished, ago(6*time.Hour))), nil, does("seen before 1")},
		"a failed-open one of before":              {all(listed("EG_1", finished, of("r"), ago(7*time.Hour))), nil, does("seen before 1")},
		"a stray of just after the first round":    {all(listed("EG_1", finished, ago(6*time.Hour-1))), nil, does("adopted EG_1 as EG_1")},
		"a stray without a time":                   {all(listed("EG_1", finished, timeless)), nil, does("seen before 1")},
		"a stray, by a clock that is ahead":        {all(listed("EG_1", finished, ago(-25*time.Hour))), nil, does("adopted EG_1 as EG_1")},
		"… by no more than clocks differ":          {all(listed("EG_1", finished, ago(-time.Minute))), nil, does("waiting 1")},
		"… by more than LiveKit remembers":         {all(listed("EG_1", finished, ago(-25*time.Hour-1))), nil, does("seen before 1")},
		"one of ours, by a clock that is ahead":    {all(listed("EG_1", finished, of("r"), ago(-100*time.Hour))), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"one of ours of before the first round":    {all(listed("EG_1", finished, of("r"), ago(7*time.Hour))), have(ours("r", "EG_1")), does("nudged EG_1 as r")},
		"several of before the first round":        {all(listed("EG_1", finished, ago(7*time.Hour)), listed("EG_2", finished, ago(8*time.Hour))), nil, does("seen before 2")},
		"a workflow of which LiveKit says nothing": {nil, have(ours("r", "EG_1")), does("suspected EG_1 as r")},
		"… that is over":                           {nil, have(ours("r", "EG_1", over)), nil},
		"… that has just begun":                    {nil, have(ours("r", "EG_1", young)), nil},
		"… that has no egress yet":                 {nil, have(ours("r", "")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(true, tc.listed, tc.ours)
			require.Equal(t, tc.want, did)
		})
	}
}

func TestOneRequestHasOneEgress(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]sight{
		"another one beside the one that is bound":  {all(listed("EG_1", active, of("r")), listed("EG_2", active, of("r"))), have(ours("r", "EG_1")), does("twin EG_2 as r")},
		"… that is just being started":              {all(listed("EG_1", active, of("r")), listed("EG_2", starting, of("r"), ago(0))), have(ours("r", "EG_1")), does("twin EG_2 as r")},
		"… that has ended":                          {all(listed("EG_1", active, of("r")), listed("EG_2", finished, of("r"))), have(ours("r", "EG_1")), does("part EG_2 as r")},
		"… of a request that is over":               {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settledAs("EGRESS_COMPLETE"))), nil},
		"two of one request that nobody knows":      {all(listed("EG_1", active, of("r")), listed("EG_2", active, of("r"), ago(3*grace))), nil, does("adopted EG_2 as r", "waiting 1")},
		"… of the same age":                         {all(listed("EG_2", active, of("r")), listed("EG_1", active, of("r"))), nil, does("adopted EG_1 as r", "waiting 1")},
		"… of which the older one has ended":        {all(listed("EG_1", finished, of("r"), ago(3*grace)), listed("EG_2", active, of("r"))), nil, does("adopted EG_2 as r", "waiting 1")},
		"a run that was continued":                  {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", over), ours("r", "EG_1")), does("suspected EG_1 as r", "twin EG_2 as r")},
		"a run that was continued, the other order": {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1"), ours("r", "EG_1", over)), does("suspected EG_1 as r", "twin EG_2 as r")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(true, tc.listed, tc.ours)
			require.Equal(t, tc.want, did)
		})
	}
}

func TestWhatCannotBeWatchedIsPutAsideInWords(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		listed egress.Listed
		want   string
	}{
		"no ID":             {listed("", livekit.EgressStatus_EGRESS_FAILED), "an egress without an ID, EGRESS_FAILED in room standup: LiveKit could not start it"},
		"no ID and no room": {listed("", active, roomless), "an egress without an ID, EGRESS_ACTIVE: LiveKit could not start it"},
		"another's token":   {listed("EG_1", active, others), "EG_1 in room standup has a token that none of our keys made: another Reelkeeper's, or a secret's that was rotated away"},
		"a newer status":    {listed("EG_1", never), "EG_1 in room standup has the status 99, which this version does not know"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p := plan(true, all(tc.listed), nil)
			require.Equal(t, []egress.Measure{{Deed: egress.DeedQuarantine, EgressID: tc.listed.ID, Why: tc.want}}, p.Measures)
		})
	}
}

func TestWhoseEgressIsNotActiveAnyMoreIsAskedFor(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]sight{
		"it is not listed":                 {nil, have(ours("r", "EG_1")), does("ask EG_1")},
		"several are not":                  {nil, have(ours("s", "EG_2"), ours("r", "EG_1")), does("ask EG_1", "ask EG_2")},
		"it is listed":                     {all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1")), nil},
		"it has no ID yet":                 {nil, have(ours("r", "")), nil},
		"it is over":                       {nil, have(ours("r", "EG_1", over)), nil},
		"it began just the grace ago":      {nil, have(ours("r", "EG_1", func(o *egress.Ours) { o.StartedAt = noon.Add(-grace) })), does("ask EG_1")},
		"it has only just begun":           {nil, have(ours("r", "EG_1", young)), nil},
		"another of its request is listed": {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1")), does("twin EG_2 as r", "ask EG_1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(false, tc.listed, tc.ours)
			require.Equal(t, tc.want, did)
		})
	}
}

func TestWhatLiveKitWasAskedForAndDoesNotKnowIsSuspected(t *testing.T) {
	t.Parallel()
	p := egress.PlanRound(egress.Sighting{
		At: noon, Grace: egress.Duration(grace), Ours: have(ours("r", "EG_1"), ours("s", "EG_2")), Unknown: []string{"EG_2"},
	})
	require.Equal(t, []string{"EG_1"}, p.Ask)
	require.Equal(t, []egress.Measure{{Deed: egress.DeedSuspect, EgressID: "EG_2", RequestID: "s"}}, p.Measures)
}

func TestADeepRoundShowsWhatEndedBesideTheBoundOne(t *testing.T) {
	t.Parallel()
	settled, closed := settledAs, func(o *egress.Ours) { o.ClosedAt = noon }
	for name, tc := range map[string]sight{
		"it failed":                       {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_FAILED"))), does("part EG_2 as r")},
		"it is lost":                      {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled(egress.Lost))), does("part EG_2 as r")},
		"its webhook may be on its way":   {all(listed("EG_2", finished, of("r"), ago(grace-1))), have(ours("r", "EG_1", settled(egress.Lost))), does("waiting 1")},
		"its workflow has closed":         {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_FAILED"), closed)), does("adopted EG_2 as r")},
		"… and has it for its own":        {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_FAILED"), closed), ours("EG_2", "EG_2")), does("nudged EG_2 as EG_2")},
		"… which is over":                 {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_FAILED"), closed), ours("EG_2", "EG_2", settled("EGRESS_COMPLETE"), closed)), nil},
		"it was complete, and closed":     {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_COMPLETE"), closed)), does("adopted EG_2 as r")},
		"it is complete":                  {all(listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", settled("EGRESS_COMPLETE"))), does("part EG_2 as r")},
		"it was complete, another runs":   {all(listed("EG_2", active, of("r"))), have(ours("r", "EG_1", settled("EGRESS_COMPLETE"))), nil},
		"it failed, and another one runs": {all(listed("EG_2", starting, of("r"), ago(0))), have(ours("r", "EG_1", settled("EGRESS_FAILED"))), does("twin EG_2 as r")},
		"it failed once, and runs again":  {all(listed("EG_1", active, of("r")), listed("EG_2", finished, of("r"))), have(ours("r", "EG_1", func(o *egress.Ours) { o.Status = "EGRESS_FAILED" })), does("part EG_2 as r")},
		"it runs on in a second run":      {all(listed("EG_1", finished, of("r"))), have(ours("r", "EG_1"), ours("r", "EG_1", over)), does("nudged EG_1 as r")},
		"it records":                      {all(listed("EG_2", finished, of("r")), listed("EG_1", active, of("r"))), have(ours("r", "EG_1")), does("part EG_2 as r")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			did, _ := plan(true, tc.listed, tc.ours)
			require.Equal(t, tc.want, did)
		})
	}
}

func TestWhetherTheListsDiffer(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sight
		want bool
	}{
		"both say the same":             {sight{all(listed("EG_1", active, of("r"))), have(ours("r", "EG_1")), nil}, false},
		"one is not active any more":    {sight{nil, have(ours("r", "EG_1")), nil}, true},
		"one has a twin":                {sight{all(listed("EG_1", active, of("r")), listed("EG_2", active, of("r"))), have(ours("r", "EG_1")), nil}, true},
		"one is none of ours to settle": {sight{all(listed("EG_1", active, others)), nil, nil}, false},
	} {
		_, p := plan(false, tc.listed, tc.ours)
		require.Equal(t, tc.want, p.Differs(), name)
	}
}

func TestTooManyToAskForAreListed(t *testing.T) {
	t.Parallel()
	missing := func(n int) (o []egress.Ours) {
		for i := range n {
			o = append(o, ours(fmt.Sprint("r-", i), fmt.Sprint("EG_", i)))
		}
		return o
	}
	_, p := plan(false, nil, missing(50))
	require.False(t, p.Deepen())
	_, p = plan(false, nil, missing(51))
	require.True(t, p.Deepen())
	_, p = plan(true, nil, missing(51))
	require.False(t, p.Deepen(), "everything has been listed")
}

// crowd returns n egresses with their workflows: every tenth is a stray, every tenth has ended
// unheard, and every hundredth has a twin.
func crowd(n int) (l []egress.Listed, o []egress.Ours) {
	for i := range n {
		id, request := fmt.Sprintf("EG_%05d", i), fmt.Sprint("r-", i)
		switch i % 10 {
		case 1:
			l = append(l, listed(id, active))
			continue
		case 2:
			l = append(l, listed(id, finished, of(request)))
		default:
			l = append(l, listed(id, active, of(request)))
		}
		if i%100 == 0 {
			l = append(l, listed("EG_twin_"+id, active, of(request)))
		}
		o = append(o, ours(request, id))
	}
	slices.Reverse(l)
	return l, o
}

func TestTenThousandAreToldApart(t *testing.T) {
	t.Parallel()
	n := 10_000
	if testing.Short() {
		n = 1_000
	}
	l, o := crowd(n)
	_, p := plan(true, l, o)
	count := map[egress.Deed]int{}
	for _, s := range p.Measures {
		count[s.Deed]++
	}
	require.Equal(t, map[egress.Deed]int{egress.DeedAdopt: n / 10, egress.DeedNudge: n / 10, egress.DeedTwin: n / 100}, count)
	require.True(t, slices.IsSortedFunc(p.Measures, func(a, b egress.Measure) int {
		if a.EgressID < b.EgressID {
			return -1
		}
		return 1
	}), "a round goes on where it stopped")
}

func BenchmarkReconcilePlan(b *testing.B) {
	l, o := crowd(10_000)
	s := egress.Sighting{At: noon, Deep: true, First: noon.Add(-time.Hour), Grace: egress.Duration(grace), Listed: l, Ours: o}
	for b.Loop() {
		egress.PlanRound(s)
	}
}
