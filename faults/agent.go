package main

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/twitchtv/twirp"

	"github.com/reelkeeper/reelkeeper/faults/check"
)

// agent asks for a recording as LiveKit's SDKs do, at a door whose URL is all that it knows of us,
// and again with the same key until it has an answer.
type agent struct {
	scenario scenario
	log      *record
	http     *http.Client
	token    func(room string) (string, error)
	door     string // Reelkeeper's URL
	livekit  string // where its platform opens rooms, without us
	past     string // where doors start past Temporal
	consumer string
	tokenURL func(key string) string // URL of our webhook for a request, as a door makes it
}

// progress is how far an agent had come when the run was interrupted.
type progress struct {
	began, done, stopped, forged, neighbour, elsewhere bool

	answer *check.Agent
}

// progressOf returns how far each life had come.
func progressOf(log []check.Agent) map[int]*progress {
	all := map[int]*progress{}
	for _, a := range log {
		p := all[a.Life]
		if p == nil {
			p = &progress{}
			all[a.Life] = p
		}
		switch a.Did {
		case check.Began:
			p.began = true
		case check.Answered:
			p.answer = &a
		case check.Stopped:
			p.stopped = true
		case check.Forged:
			p.forged = true
		case check.Neighbour:
			p.neighbour = true
		case check.NeighbourOver:
		case check.Elsewhere:
			p.elsewhere = true
		case check.Done:
			p.done = true
		}
	}
	return all
}

// doneOf returns how many lives are over.
func doneOf(log []check.Agent) (n int) {
	for _, p := range progressOf(log) {
		if p.done {
			n++
		}
	}
	return n
}

// live continues a life from where it was. It ends early only if the context ends or the log cannot
// be written.
func (a *agent) live(ctx context.Context, p plan, had progress) error {
	note := func(e check.Agent) error {
		e.At, e.Life = time.Now(), p.n
		return a.log.add(e)
	}
	if !had.began {
		if err := note(check.Agent{Did: check.Began, Subject: p.subject, Kind: p.kind, Own: p.ownPath(), Call: p.call}); err != nil {
			return err
		}
	}
	if had.answer == nil {
		answer := a.start(ctx, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := note(answer); err != nil {
			return err
		}
		had.answer = &answer
	}
	if had.answer.Outcome == check.Accepted {
		if err := a.after(ctx, p, had, note); err != nil {
			return err
		}
	}
	return note(check.Agent{Did: check.Done})
}

// after is what an agent does with a recording that is running.
func (a *agent) after(ctx context.Context, p plan, had progress, note func(check.Agent) error) error {
	id := had.answer.EgressID
	if p.forge && !had.forged {
		a.forge(ctx, id)
		if err := note(check.Agent{Did: check.Forged, EgressID: id}); err != nil {
			return err
		}
	}
	if p.neighbour && !had.neighbour {
		if err := a.neighbour(ctx, p, note); err != nil {
			return err
		}
	}
	if p.elsewhere && !had.elsewhere {
		if err := a.elsewhere(ctx, p, id, note); err != nil {
			return err
		}
	}
	if p.end == endCall || had.stopped {
		return nil
	}
	if !sleep(ctx, p.call) {
		return ctx.Err()
	}
	stopped := check.Agent{Did: check.Stopped, EgressID: id}
	if err := a.finish(ctx, p, id); err != nil {
		stopped.Error = err.Error()
		if p.end == endStop && final(err) { // a room may be gone by a call whose answer was lost
			stopped.Outcome = check.Refused
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return note(stopped)
}

// start opens the room and asks until there is an answer.
func (a *agent) start(ctx context.Context, p plan) check.Agent {
	answer := check.Agent{Did: check.Answered, Outcome: check.Unknown}
	var t tracks
	if !p.page() {
		var err error
		if t, err = a.open(ctx, p); err != nil {
			answer.Error = err.Error()
			return answer
		}
	}
	ctx, cancel := context.WithTimeout(ctx, a.scenario.Agent.Patience)
	defer cancel()
	door := livekit.NewEgressProtobufClient(a.door, a.http)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 3*time.Second) {
		answer.Tries++
		asking, err := a.signed(ctx, p.subject, http.Header{"Idempotency-Key": {p.key}})
		if err != nil {
			answer.Error = err.Error()
			return answer
		}
		info, err := p.ask(asking, door, a.consumer, t)
		switch {
		case err == nil:
			answer.Outcome, answer.EgressID, answer.Error = check.Accepted, info.GetEgressId(), ""
			return answer
		case final(err):
			answer.Outcome, answer.Error = check.Refused, err.Error()
			return answer
		}
		answer.Error = err.Error()
		if !sleep(ctx, wait) {
			return answer
		}
	}
}

// open opens the room on LiveKit, with a script for when people leave: it is played even if
// everybody here is killed. open tries until the room exists.
func (a *agent) open(ctx context.Context, p plan) (tracks, error) {
	call := p.call
	if p.end != endCall {
		call += a.scenario.Agent.Patience // so that the agent ends it first
	}
	metadata, err := json.Marshal(map[string]any{"fake": map[string]any{"call": call.String()}})
	if err != nil {
		return tracks{}, err
	}
	rooms := livekit.NewRoomServiceProtobufClient(a.livekit, a.http)
	for {
		var who *livekit.ParticipantInfo
		asking, err := a.signed(ctx, p.subject, nil)
		if err == nil {
			_, err = rooms.CreateRoom(asking, &livekit.CreateRoomRequest{Name: p.subject, Metadata: string(metadata)})
		}
		if err == nil {
			who, err = rooms.GetParticipant(asking, &livekit.RoomParticipantIdentity{Room: p.subject, Identity: "alice"})
		}
		if err == nil {
			return tracksOf(who), nil
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return tracks{}, err
		}
	}
}

func tracksOf(who *livekit.ParticipantInfo) (t tracks) {
	for _, track := range who.GetTracks() {
		switch track.GetType() {
		case livekit.TrackType_AUDIO:
			t.audio = track.GetSid()
		case livekit.TrackType_VIDEO:
			t.video = track.GetSid()
		case livekit.TrackType_DATA:
		}
	}
	return t
}

// finish ends a recording, or its room, through the door. It gives up on an error that is final,
// and when nobody answers any more.
func (a *agent) finish(ctx context.Context, p plan, egressID string) error {
	ctx, cancel := context.WithTimeout(ctx, a.scenario.Agent.Patience)
	defer cancel()
	for timeouts := 0; ; {
		wait := time.Second
		asking, err := a.signed(ctx, p.subject, nil)
		if err != nil {
			return err
		}
		if p.end == endDelete {
			_, err = livekit.NewRoomServiceProtobufClient(a.door, a.http).DeleteRoom(asking, &livekit.DeleteRoomRequest{Room: p.subject})
		} else {
			_, err = livekit.NewEgressProtobufClient(a.door, a.http).StopEgress(asking, &livekit.StopEgressRequest{EgressId: egressID})
		}
		if codeOf(err) == twirp.DeadlineExceeded { // LiveKit also says this of a dead worker
			timeouts++
			wait = 10 * time.Second
		}
		if err == nil || final(err) || timeouts == 4 || !sleep(ctx, wait) {
			return err
		}
	}
}

// signed returns a context for one request, with the agent's token.
func (a *agent) signed(ctx context.Context, room string, header http.Header) (context.Context, error) {
	token, err := a.token(room)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Authorization": {"Bearer " + token}}
	maps.Copy(h, header)
	return twirp.WithHTTPRequestHeaders(ctx, h)
}

// grant returns an agent's token, which permits all that agents do here.
func grant(room string) (string, error) {
	return auth.NewAccessToken(apiKey, apiSecret).SetIdentity("agent").SetValidFor(time.Hour).SetVideoGrant(&auth.VideoGrant{
		RoomRecord: true, RoomCreate: true, RoomList: true, RoomAdmin: true, Room: room,
	}).ToJWT()
}

// final reports whether asking again cannot change an error.
func final(err error) bool {
	switch codeOf(err) {
	case twirp.NotFound, twirp.InvalidArgument, twirp.AlreadyExists, twirp.PermissionDenied, twirp.Unauthenticated, twirp.FailedPrecondition:
		return true
	default:
		return false
	}
}

func codeOf(err error) twirp.ErrorCode {
	if e, ok := errors.AsType[twirp.Error](err); ok {
		return e.Code()
	}
	return twirp.NoError
}

// sleep waits, and reports false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
