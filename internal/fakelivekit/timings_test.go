package fakelivekit_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// timeline is a recorded timeline.txt: seconds since the scenario began, and what happened.
type timeline []moment

type moment struct {
	at   time.Duration
	took time.Duration // of an API call
	what string
}

var took = regexp.MustCompile(` in ([0-9.]+)s`)

func timelineOf(r recording) timeline {
	r.Helper()
	var tl timeline
	for line := range strings.Lines(string(r.read("timeline.txt"))) {
		at, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		m := moment{at: seconds(r.T, at), what: strings.Join(strings.Fields(what), " ")}
		if found := took.FindStringSubmatch(line); found != nil {
			m.took = seconds(r.T, found[1])
		}
		tl = append(tl, m)
	}
	return tl
}

func seconds(t *testing.T, text string) time.Duration {
	t.Helper()
	s, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return time.Duration(s * float64(time.Second))
}

// find returns the nth moment that contains a text.
func (tl timeline) find(t *testing.T, text string, n int) moment {
	t.Helper()
	for _, m := range tl {
		if strings.Contains(m.what, text) {
			if n--; n == 0 {
				return m
			}
		}
	}
	t.Fatalf("%q is not in the timeline", text)
	return moment{}
}

// A default is a figure that was recorded, not invented.
func TestTheDefaultTimingsAreThoseOfTheRecordings(t *testing.T) {
	t.Parallel()
	d := fakelivekit.DefaultTimings()
	const (
		start   = "API Start"
		active  = "egress_updated EGRESS_ACTIVE"
		ending  = "egress_updated EGRESS_ENDING"
		ended   = "egress_ended"
		joined  = "participant_joined"
		left    = "participant_left"
		ms      = time.Millisecond
		theCall = "" // stands for a call's own beginning
	)
	for _, c := range []struct {
		name      string
		dir       string
		from      string
		nth       int
		to        string
		want      time.Duration
		tolerance time.Duration
	}{
		{"StartClaim and StartReply", "tc-stop", theCall, 1, start, d.StartClaim + d.StartReply, 50 * ms},
		{"JoinMedia", "tc-stop", theCall, 2, joined, d.JoinMedia, 100 * ms},
		{"ActiveMedia", "tc-stop", theCall, 1, active, d.ActiveMedia, 100 * ms},
		{"Ending", "tc-stop", ending, 1, ended, d.Ending, 60 * ms},
		{"StopFails", "tc-stop", theCall, 1, "API StopEgress-ended", d.StopFails, 10 * ms},
		{"StopFails, unknown", "tc-stop", theCall, 1, "API StopEgress-unknown", d.StopFails, 10 * ms},
		{"StopFails, dead", "tc-kill9-observe", theCall, 1, "API StopEgress-dead", d.StopFails, 10 * ms},
		{"JoinTemplate", "empty-rc", theCall, 1, joined, d.JoinTemplate, 100 * ms},
		{"AbortConfirms", "empty-rc", "API StopEgress", 1, ended, d.AbortConfirms, 50 * ms},
		{"SourceMissing", "empty-tc", theCall, 1, ended, d.SourceMissing, 800 * ms},
		{"ActiveWeb", "web-stop", theCall, 1, active, d.ActiveWeb, 700 * ms},
		{"ActiveTemplate", "v2-template", theCall, 1, active, d.ActiveTemplate, 1500 * ms},
		{"DepartureTimeout", "v2-template", left, 2, left, d.DepartureTimeout, 500 * ms},
		{"NoWorker", "start-noworker", theCall, 1, start, d.NoWorker, 50 * ms},
		{"ParticipantTimeout", "tc-kill9-observe", "KILL handler", 1, left, d.ParticipantTimeout, 500 * ms},
		{"MidRecording", "tc-kill-handler", active, 1, "KILL handler", d.MidRecording, 50 * ms},
		{"DeleteRoom", "tc-deleteroom", theCall, 1, "API DeleteRoom", d.DeleteRoom, 50 * ms},
		{"EndingDeleted", "tc-deleteroom", ending, 1, ended, d.EndingDeleted, 30 * ms},
		{"SourceClosed", "participant-leave", left, 1, ending, d.SourceClosed, 10 * ms},
		{"WebhookRetryMin", "wh-500-end-20", ended, 2, ended, d.WebhookRetryMin, 50 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tl := timelineOf(recording{t, c.dir})
			to := tl.find(t, c.to, c.nth)
			got := to.at - tl.begin(t, c.from, c.to).at
			require.InDelta(t, c.want, got, float64(c.tolerance))
		})
	}
}

// begin returns a named moment; without a name, the beginning of the call in question, or of the start
// call.
func (tl timeline) begin(t *testing.T, from, to string) moment {
	t.Helper()
	if from != "" {
		return tl.find(t, from, 1)
	}
	call := "API Start"
	if strings.HasPrefix(to, "API ") {
		call = to
	}
	m := tl.find(t, call, 1)
	return moment{at: m.at - m.took}
}

// Unscaled, the fake takes as long as was recorded: never less, and more on a busy machine.
func TestUnscaledTheFakeTakesAsLongAsLiveKit(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *fakelivekit.Config) { cfg.Timings = fakelivekit.Timings{} })
	f.room("daily", fakelivekit.RoomScript{})
	begun := time.Now()
	id := f.record("daily")
	replied := time.Since(begun)
	f.active(id)
	active := time.Since(begun)
	f.deleteRoom("daily")
	f.ended(id)
	for name, c := range map[string]struct{ got, least, most time.Duration }{
		"reply":  {replied, 500 * time.Millisecond, patience},
		"active": {active, 2100 * time.Millisecond, patience},
		"end":    {time.Since(begun) - active, 20 * time.Millisecond, patience},
	} {
		assert.GreaterOrEqual(t, c.got, c.least, name)
		assert.LessOrEqual(t, c.got, c.most, name)
	}
}
