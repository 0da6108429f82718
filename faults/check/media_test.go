package check

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// media sets what the last announcement says of the media.
func (l *logs) media(word string) *logs {
	return l.but(func(r *Request) { r.Header = http.Header{"X-Any-Media": {word}} })
}

// faulty sets a fault of the egress that changed last.
func (l *logs) faulty(fault string) *logs {
	l.LiveKit[len(l.LiveKit)-1].Egress.Faults = []string{fault}
	return l
}

func (l *logs) killed(seconds float64, part string, down time.Duration) *logs {
	l.Kills = append(l.Kills, Kill{At: at(seconds), Part: part, Down: down})
	return l
}

func TestTheWordOnTheMediaIsTheStores(t *testing.T) {
	t.Parallel()
	ended := func(status string) *logs {
		return accepted().records("EG_1", 1).ends(5, status).told(6, "EV_1", "EG_1", status, "")
	}
	without := func(fault string) *logs {
		return accepted().records("EG_1", 1).ends(5, complete).faulty(fault).told(6, "EV_1", "EG_1", complete, "")
	}
	past := func() *logs {
		return accepted().state(1, Egress{ID: "EG_1", Room: "room", Host: "localhost:7880", Status: "EGRESS_ACTIVE", Accepted: at(1), Recorded: true}).
			ends(5, complete).told(6, "EV_1", "EG_1", complete, "")
	}
	kept, mismatched := map[Kind]int{}, map[Kind]int{KindMismatched: 1}
	for name, tc := range map[string]struct {
		logs *logs
		want map[Kind]int
	}{
		"it is there":                             {ended(complete).media(present), kept},
		"it is there at the limit":                {ended(limited).media(present), kept},
		"it is not there":                         {without("media-missing").media(missing), kept},
		"it has no content":                       {without("media-empty").media(empty), kept},
		"said to be there and is not":             {without("media-missing").media(present), mismatched},
		"said to have content and has none":       {without("media-empty").media(present), mismatched},
		"said to be missing and is there":         {ended(complete).media(missing), mismatched},
		"said to be empty and is missing":         {without("media-missing").media(empty), mismatched},
		"nobody looked":                           {ended(complete).media(unchecked), mismatched},
		"nothing is said":                         {ended(complete), mismatched},
		"its keys are LiveKit's alone":            {past().media(unchecked), kept},
		"wrong, though its keys are LiveKit's":    {past().media(missing), mismatched},
		"the store was away at its end":           {ended(complete).media(unchecked).killed(3, "store", 4*time.Second), kept},
		"a worker was killed meanwhile":           {ended(complete).media(unchecked).killed(5.5, "worker", 0), kept},
		"Temporal was away":                       {ended(complete).media(unchecked).killed(4, "temporal", 2*time.Second), kept},
		"the store was back before its end":       {ended(complete).media(unchecked).killed(3, "store", time.Second), mismatched},
		"the store went away after it was told":   {ended(complete).media(unchecked).killed(6.5, "store", time.Second), mismatched},
		"a door was killed meanwhile":             {ended(complete).media(unchecked).killed(5.5, "door", 0), mismatched},
		"wrong, though the store was away before": {ended(complete).media(missing).killed(3, "store", 4*time.Second), mismatched},
		"it failed, and is not looked at":         {ended("EGRESS_FAILED").media(unchecked), kept},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			looking := rules
			looking.Media = true
			require.Equal(t, tc.want, countedBy(looking, tc.logs))
			require.Equal(t, kept, counted(tc.logs), "nobody is to look")
		})
	}
}

func TestWhatIsToldOfAnEndThatNeverWasIsJudgedByThatAlone(t *testing.T) {
	t.Parallel()
	looking := rules
	looking.Media = true
	l := accepted().records("EG_1", 1).dies(4).told(6, "EV_1", "EG_1", complete, "").media(unchecked)
	require.Equal(t, map[Kind]int{KindEarly: 1, KindWrong: 1}, countedBy(looking, l))
}
