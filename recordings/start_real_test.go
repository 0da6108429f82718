package recordings

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

const patience = 60 * time.Second

func TestTheSameIDTwiceIsOneEgress(t *testing.T) {
	t.Parallel()
	id := fresh("twice")
	c, w := real(t)
	w.open(id)
	ctx := ctxOf(t, patience)
	first, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id), MaxDuration: time.Hour})
	must(t, err)
	second, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id), MaxDuration: time.Hour, AskedBy: egress.AskedBy("APIother", "somebody else")})
	must(t, err)
	if first.Info.Proto().GetEgressId() != second.Info.Proto().GetEgressId() || first.RunID != second.RunID || w.started(id) != 1 {
		t.Errorf("got %+v and %+v after %d starts, want one egress", first, second, w.started(id))
	}
	if first.WorkflowID != egress.WorkflowID(id) || first.RequestID != id {
		t.Errorf("got %+v", first)
	}
}

func TestTwoCallersAtTheSameMomentGetOneEgress(t *testing.T) {
	t.Parallel()
	once := fresh("atonce")
	c, w := real(t)
	w.open(once)
	ctx := ctxOf(t, patience)
	var wg sync.WaitGroup
	ids := make([]string, 5)
	for i := range ids {
		wg.Go(func() {
			s, err := c.Start(ctx, egress.StartOptions{RequestID: once, Request: roomRequest(once)})
			if err != nil {
				t.Error(err)
			}
			ids[i] = s.Info.Proto().GetEgressId()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] || id == "" {
			t.Errorf("got the egress IDs %v, want one", ids)
		}
	}
	if n := w.started(once); n != 1 {
		t.Errorf("LiveKit was asked %d times", n)
	}
}

func TestAStartWithoutAnIDIsItsOwn(t *testing.T) {
	t.Parallel()
	room := fresh("unnamed")
	c, w := real(t)
	w.open(room)
	ctx := ctxOf(t, patience)
	first, err := c.Start(ctx, egress.StartOptions{Request: roomRequest(room)})
	must(t, err)
	second, err := c.Start(ctx, egress.StartOptions{Request: roomRequest(room)})
	must(t, err)
	if first.RequestID == second.RequestID || w.started(room) != 2 {
		t.Errorf("got %s and %s", first.RequestID, second.RequestID)
	}
}

func TestARefusedStartFreesItsID(t *testing.T) {
	t.Parallel()
	id := fresh("later")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	ask := func() (Started, error) {
		return c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)})
	}
	for range 3 {
		_, err := ask()
		wantReason(t, err, egress.NotFound)
		if err.Error() != "not_found: requested room does not exist" {
			t.Errorf("got %q, want LiveKit's own words", err)
		}
	}
	if n := w.started(id); n != 3 {
		t.Errorf("LiveKit was asked %d times, want once for each of 3 calls", n)
	}
	w.open(id)
	s, err := ask()
	must(t, err)
	again, err := ask()
	must(t, err)
	if w.started(id) != 4 || s.RunID != again.RunID {
		t.Errorf("got %+v and %+v after %d starts", s, again, w.started(id))
	}
}

// A caller that waits only until a start is durable has a run of its own, too.
func TestWhatWasRefusedIsRecordedWhereItIsExpectedStill(t *testing.T) {
	t.Parallel()
	id := fresh("expected")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	record := func(want bool) {
		t.Helper()
		begun, over, err := c.Record(ctx, id, roomRequest(id))
		must(t, err)
		if begun != want || over {
			t.Errorf("got %v and over %v, want %v", begun, over, want)
		}
	}
	record(true)
	if _, err := c.Wait(ctx, id); egress.ReasonOf(err) != egress.NotFound {
		t.Fatalf("got %v, want it refused", err)
	}
	w.open(id)
	record(false) // started again: LiveKit was asked twice
	record(false)
	if _, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)}); err != nil || w.started(id) != 2 {
		t.Errorf("LiveKit was asked %d times: %v", w.started(id), err)
	}
	_, err := c.Stop(ctx, id)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
	record(false)
}

func TestAnotherRequestUnderALivingIDIsAConflict(t *testing.T) {
	t.Parallel()
	id := fresh("taken")
	mine := fresh("mine")
	yours := fresh("yours")
	c, w := real(t)
	w.open(mine)
	w.open(yours)
	ctx := ctxOf(t, patience)
	_, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(mine)})
	must(t, err)
	for _, other := range []egress.StartOptions{{Request: roomRequest(yours)}, {Request: roomRequest(mine), Storage: "cold"}, {Request: roomRequest(mine), Pipeline: "archive"}} {
		other.RequestID = id
		_, err = c.Start(ctx, other)
		wantReason(t, err, egress.Conflict)
	}
	_, err = c.Stop(ctx, id)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
	_, err = c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(yours)})
	wantReason(t, err, egress.Conflict)
	s, err := c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(mine)})
	must(t, err)
	if s.Info.Proto().GetRoomName() != mine || w.started(mine) != 1 || w.started(yours) != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestAnIDWhoseSecondRunHasEndedGivesThatEgress(t *testing.T) {
	t.Parallel()
	id := fresh("over")
	c, w := real(t)
	ctx := ctxOf(t, patience)
	ask := func(room string) (Started, error) {
		return c.Start(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(room)})
	}
	for range 2 {
		_, err := ask(id) // refused by `start`, then by `start/<run>`
		wantReason(t, err, egress.NotFound)
	}
	p, err := c.Begin(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id)})
	must(t, err)
	_, err = p.Started(ctx)
	wantReason(t, err, egress.NotFound)
	w.open(id)
	first, err := ask(id)
	must(t, err)
	_, err = c.Stop(ctx, id)
	must(t, err)
	_, err = c.Wait(ctx, id)
	must(t, err)
	second, err := ask(id)
	must(t, err)
	if first.Info.Proto().GetEgressId() != second.Info.Proto().GetEgressId() || first.RunID != second.RunID {
		t.Errorf("got %+v, then %+v", first, second)
	}
	_, err = ask("elsewhere")
	wantReason(t, err, egress.Conflict)
}

func TestBeginReturnsAtAcceptance(t *testing.T) {
	t.Parallel()
	id := fresh("begun")
	c, w := real(t)
	w.open(id)
	ctx := ctxOf(t, patience)
	p, err := c.Begin(ctx, egress.StartOptions{RequestID: id, Request: roomRequest(id), StartBy: time.Now().Add(time.Hour)})
	must(t, err)
	s, err := p.Started(ctx)
	must(t, err)
	if s.RequestID != id || s.Info.Proto().GetRoomName() != id {
		t.Errorf("got %+v", s)
	}
}

func TestAStartWaitsForAWorker(t *testing.T) {
	t.Parallel()
	id := fresh("patient")
	real(t)
	c := newReal(t, "default")
	_, err := c.EnsureSearchAttributes(ctxOf(t, patience))
	must(t, err)
	o := egress.StartOptions{RequestID: id, Request: roomRequest(id)}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = c.Start(short, o)
	wantReason(t, err, egress.Ambiguous)

	s := &standIn{rooms: map[string]bool{id: true}, starts: map[string]int{}}
	answer := make(chan error, 1)
	go func() {
		_, err := c.Start(ctxOf(t, patience), o)
		answer <- err
	}()
	must(t, s.work(c.cfg.Temporal))
	must(t, <-answer)
	if n := s.started(id); n != 1 {
		t.Errorf("LiveKit was asked %d times", n)
	}
}

func TestBadInputStartsNothing(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]egress.StartOptions{
		"an ID with a slash":    {RequestID: "a/b", Request: roomRequest("r")},
		"an ID like LiveKit's":  {RequestID: "EG_x", Request: roomRequest("r")},
		"a negative duration":   {Request: roomRequest("r"), MaxDuration: -time.Second},
		"a pipeline's bad name": {Request: roomRequest("r"), Pipeline: "a/b"},
		"a request of no kind":  {Request: strange{}},
		"a request that is nil": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New(Config{Sealer: refuseStrange{}})
			_, err := c.Start(t.Context(), o)
			wantReason(t, err, egress.Invalid)
		})
	}
}

type strange struct {
	*livekit.RoomCompositeEgressRequest
}

type refuseStrange struct{ Sealer }

func (refuseStrange) SealRequest(_ string, r egress.Request, _, _ string) (egress.Input, error) {
	if egress.KindOf(r) == "" {
		return egress.Input{}, &egress.Error{Reason: egress.Invalid, Field: "request"}
	}
	return egress.Input{}, nil
}
