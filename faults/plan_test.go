package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

func theScenario(t *testing.T) scenario {
	t.Helper()
	s, _, err := readScenario("ci.yaml")
	require.NoError(t, err)
	return s
}

func TestAPlanIsTheSameForTheSameSeedAndNumber(t *testing.T) {
	t.Parallel()
	s := theScenario(t)
	other := 0
	for n := 1; n <= 200; n++ {
		require.Equal(t, planOf(s, 7, n), planOf(s, 7, n))
		if a, b := planOf(s, 7, n), planOf(s, 8, n); a.kind != b.kind || a.call != b.call {
			other++
		}
	}
	require.Greater(t, other, 150, "another seed is another run")
}

func TestPlansAreAsTheScenarioHasThem(t *testing.T) {
	t.Parallel()
	s := theScenario(t)
	const lives = 4000
	kindsSeen, ends, subjects, forged, own := map[string]int{}, map[string]int{}, map[string]bool{}, 0, 0
	neighbours, elsewhere := 0, 0
	for n := 1; n <= lives; n++ {
		p := planOf(s, 3, n)
		kindsSeen[p.kind]++
		ends[p.end]++
		subjects[p.subject], subjects[p.key] = true, true
		require.GreaterOrEqual(t, p.call, s.Call.From)
		require.LessOrEqual(t, p.call, s.Call.To)
		if p.forge {
			forged++
		}
		if p.own {
			own++
		}
		if p.neighbour {
			neighbours++
		}
		if p.elsewhere {
			elsewhere++
		}
	}
	require.Len(t, subjects, 2*lives, "no two lives share a room, a page or a key")
	for kind, weight := range s.Kinds {
		require.InDelta(t, float64(weight)/18, float64(kindsSeen[kind])/lives, 0.03, kind)
	}
	rooms := float64(lives - kindsSeen[kindWeb])
	require.InDelta(t, s.Stop, float64(ends[endStop]-kindsSeen[kindWeb])/rooms, 0.03, "a page is always stopped")
	require.InDelta(t, s.DeleteRoom, float64(ends[endDelete])/rooms, 0.03)
	require.InDelta(t, s.Forge, float64(forged)/lives, 0.03)
	require.InDelta(t, s.OwnWebhook, float64(own)/lives, 0.03)
	require.InDelta(t, s.Neighbour, float64(neighbours)/lives, 0.03)
	require.InDelta(t, s.Elsewhere, float64(elsewhere)/lives, 0.03)
}

// asked keeps what a plan asks for.
type asked struct {
	livekit.Egress
	request proto.Message
}

func (a *asked) keep(m proto.Message) (*livekit.EgressInfo, error) {
	a.request = m
	return &livekit.EgressInfo{EgressId: "EG_1"}, nil
}

func (a *asked) StartRoomCompositeEgress(_ context.Context, m *livekit.RoomCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func (a *asked) StartWebEgress(_ context.Context, m *livekit.WebEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func (a *asked) StartParticipantEgress(_ context.Context, m *livekit.ParticipantEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func (a *asked) StartTrackCompositeEgress(_ context.Context, m *livekit.TrackCompositeEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func (a *asked) StartTrackEgress(_ context.Context, m *livekit.TrackEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func (a *asked) StartEgress(_ context.Context, m *livekit.StartEgressRequest) (*livekit.EgressInfo, error) {
	return a.keep(m)
}

func TestEveryRequestHasItsSubjectAndCredentials(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		p := plan{n: 5, kind: kind, subject: "room-of-life-5", own: true, canary: canaryOf(7)}
		if p.page() {
			p.subject = "https://pages.example.com/life-5"
		}
		a := &asked{}
		info, err := p.ask(t.Context(), a, "http://consumer", tracks{"TR_A", "TR_V"})
		require.NoError(t, err)
		require.Equal(t, "EG_1", info.GetEgressId())
		text, err := protojson.Marshal(a.request)
		require.NoError(t, err)
		require.Contains(t, string(text), p.subject, kind)
		for _, what := range []string{"access", "secret", "session", "proxy", "hook"} {
			require.Contains(t, string(text), fmt.Sprintf("RKcanary7Z%s5", what), kind)
		}
		require.Contains(t, string(text), "http://consumer/own/5?token=", "and its own webhook")
	}
}

func TestHowFarALifeHadComeIsInTheLog(t *testing.T) {
	t.Parallel()
	answer := check.Agent{Life: 1, Did: check.Answered, Outcome: check.Accepted, EgressID: "EG_1"}
	had := progressOf([]check.Agent{
		{Life: 1, Did: check.Began}, answer, {Life: 2, Did: check.Began}, {Life: 1, Did: check.Forged}, {Life: 1, Did: check.Neighbour}, {Life: 1, Did: check.Elsewhere}, {Life: 1, Did: check.Stopped},
		{Life: 3, Did: check.Began}, {Life: 3, Did: check.Done},
	})
	require.Equal(t, map[int]*progress{1: {began: true, answer: &answer, forged: true, neighbour: true, elsewhere: true, stopped: true}, 2: {began: true}, 3: {began: true, done: true}}, had)
}

func TestKillsComeAsOftenAsTheyAreToInTheMean(t *testing.T) {
	t.Parallel()
	random := newRandom(7, partWorker)
	k := outage{Every: time.Minute, Down: time.Second}
	var sum time.Duration
	for range 10_000 {
		sum += k.next(random)
		require.LessOrEqual(t, k.down(random), k.Down)
	}
	require.InDelta(t, time.Minute.Seconds(), (sum / 10_000).Seconds(), 3)
	require.NotEqual(t, k.next(newRandom(7, partWorker)), k.next(newRandom(7, partDoor)), "parts are not killed together")
}
