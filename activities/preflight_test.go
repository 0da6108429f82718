package activities_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	lk "github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/activities"
	"github.com/reelkeeper/reelkeeper/egress"
)

// storeProber returns the given results, by bucket. It logs each probe.
type storeProber struct {
	mu    sync.Mutex
	found map[string]egress.Probed
	hang  chan struct{} // when set, a probe ends once it is closed
	log   []string
}

func (p *storeProber) Probe(ctx context.Context, d egress.Destination, name string) (egress.Probed, error) {
	bucket := d.Upload.S3.GetBucket()
	p.mu.Lock()
	p.log = append(p.log, bucket)
	found, hang := p.found[bucket], p.hang
	p.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return egress.ProbeUnreachable, ctx.Err()
		}
	}
	switch {
	case len(name) < 16:
		return egress.ProbeRefused, errors.New("a name that others may have")
	case found == egress.ProbeRefused:
		return found, d.Fault(404, "NoSuchBucket")
	case found != "":
		return found, &egress.Error{Reason: egress.Unreachable, Field: d.Field, Message: "cannot delete: 403"}
	default:
		return egress.ProbeGood, nil
	}
}

func (p *storeProber) tries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.log...)
}

func to(bucket string) egress.Request { return toFile(&lk.S3Upload{Bucket: bucket, AccessKey: "k"}) }

// trying gives the worker a preflight.
func trying(c activities.PreflightConfig) func(*activities.Config) {
	p := activities.NewPreflight(c)
	return func(c *activities.Config) { c.Preflight = p; storing(c) }
}

func TestAStartWhoseStorageIsRefusedNeverReachesLiveKit(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		request egress.Request
		named   string
		want    egress.Error
	}{
		"its own": {to("gone"), "", egress.Error{Reason: egress.Invalid, Field: "file_outputs[0].s3.bucket", Message: "there is no such bucket (the store answers NoSuchBucket)"}},
		"a profile's": {toFile(nil), "cold", egress.Error{Reason: egress.Invalid, Field: "storage",
			Message: `profile "cold": s3.bucket: there is no such bucket (the store answers NoSuchBucket)`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := sealedFor(t, tc.request, tc.named)
			bubble(t, func(t *testing.T) {
				a, p := &api{onStart: accepts}, &storeProber{found: map[string]egress.Probed{"gone": egress.ProbeRefused, "cold-bucket": egress.ProbeRefused}}
				_, err := start(t, a, in, trying(activities.PreflightConfig{Prober: p}))
				ae, e := failed(t, err)
				require.Equal(t, tc.want, e)
				require.True(t, ae.NonRetryable())
				require.Empty(t, a.log)
			})
		})
	}
}

func TestWhatIsNoDefiniteNoIsNotedAndStarts(t *testing.T) {
	t.Parallel()
	for found, note := range map[egress.Probed]string{
		egress.ProbeUndeleted:   "a probe stays in its storage: file_outputs[0].s3: cannot delete: 403",
		egress.ProbeUnreachable: "its storage could not be tried: file_outputs[0].s3: cannot delete: 403",
		egress.ProbeUnchecked:   "",
		"":                      "",
	} {
		t.Run(string(found), func(t *testing.T) {
			t.Parallel()
			in := sealedFor(t, to("b"), "")
			bubble(t, func(t *testing.T) {
				a, p := &api{onStart: accepts}, &storeProber{found: map[string]egress.Probed{"b": found}}
				s, err := start(t, a, in, trying(activities.PreflightConfig{Prober: p}))
				require.NoError(t, err)
				require.Equal(t, note, strings.Join(s.Notes, ";"))
				require.Equal(t, []string{"0s start"}, a.log)
			})
		})
	}
}

func TestNoMoreStoresOfAStartAreTriedThanLiveKitTakes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		many := &lk.RoomCompositeEgressRequest{RoomName: room}
		for n := range 50 {
			many.FileOutputs = append(many.FileOutputs, &lk.EncodedFileOutput{Output: &lk.EncodedFileOutput_S3{S3: &lk.S3Upload{Bucket: fmt.Sprint(n)}}})
		}
		p := &storeProber{}
		in := activities.StartRequest{RequestID: requestID, Part: 1, Input: egress.Input{Plain: many}}
		_, err := start(t, &api{onStart: accepts}, in, trying(activities.PreflightConfig{Prober: p}))
		require.NoError(t, err)
		require.Len(t, p.tries(), 8)
	})
}

func TestAStoreThatHangsDelaysNoStartBeyondTheBudget(t *testing.T) {
	t.Parallel()
	in := sealedFor(t, to("b"), "")
	bubble(t, func(t *testing.T) {
		p := &storeProber{hang: make(chan struct{})}
		change := trying(activities.PreflightConfig{Prober: p})
		a := &api{onStart: accepts}
		s, err := start(t, a, in, change)
		require.NoError(t, err)
		require.Equal(t, []string{"1s start"}, a.log, "the store still hangs")
		require.Equal(t, []string{"its storage could not be tried: file_outputs[0].s3: the store has not answered in time"}, s.Notes)

		a = &api{onStart: accepts}
		_, err = start(t, a, in, change)
		require.NoError(t, err)
		require.Equal(t, []string{"0s start"}, a.log, "nor does the next one wait for it")

		close(p.hang)
		synctest.Wait()
		s, err = start(t, &api{onStart: accepts}, in, change)
		require.NoError(t, err)
		require.Empty(t, s.Notes, "it has answered in the end")
		require.Len(t, p.tries(), 1)
	})
}

func TestATryLeavesLiveKitItsTimeBeforeStartBy(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration][]string{
		1200 * time.Millisecond: {"600ms start"}, 10 * time.Second: {"1s start"},
	} {
		t.Run(left.String(), func(t *testing.T) {
			t.Parallel()
			in := sealedFor(t, to("b"), "")
			bubble(t, func(t *testing.T) {
				a, p := &api{onStart: accepts}, &storeProber{hang: make(chan struct{})}
				by := time.Now().Add(left)
				in.Input.StartBy = &by
				_, err := start(t, a, in, trying(activities.PreflightConfig{Prober: p}))
				require.NoError(t, err)
				require.Equal(t, want, a.log)
				close(p.hang)
			})
		})
	}
}

func TestAStartThatBeginsNothingTriesNoStorage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(egress.Input) egress.Input
		want   egress.Reason
	}{
		"it only looks": {egress.Input.OnlyLook, egress.TooLate},
		"it is late": {func(in egress.Input) egress.Input {
			by := time.Now().Add(-time.Minute)
			in.StartBy = &by
			return in
		}, egress.HandedBack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := sealedFor(t, to("b"), "")
			bubble(t, func(t *testing.T) {
				in.Input = tc.change(in.Input)
				p := &storeProber{}
				_, err := start(t, &api{onList: lists()}, in, trying(activities.PreflightConfig{Prober: p}))
				_, e := failed(t, err)
				require.Equal(t, tc.want, e.Reason)
				require.Empty(t, p.tries())
			})
		})
	}
}

func TestWhichStartsAreTried(t *testing.T) {
	t.Parallel()
	two := func(first, second *lk.S3Upload) egress.Request {
		return &lk.RoomCompositeEgressRequest{RoomName: room, FileOutputs: []*lk.EncodedFileOutput{
			{Filepath: "a.mp4", Output: &lk.EncodedFileOutput_S3{S3: first}}, {Filepath: "b.mp4", Output: &lk.EncodedFileOutput_S3{S3: second}},
		}}
	}
	b := &lk.S3Upload{Bucket: "b", Secret: "1"}
	for name, tc := range map[string]struct {
		cfg    activities.PreflightConfig
		asked  bool
		first  egress.Request
		wait   time.Duration
		second egress.Request
		want   int
	}{
		"a destination that was good":  {activities.PreflightConfig{}, false, to("b"), 9 * time.Minute, to("b"), 1},
		"long ago":                     {activities.PreflightConfig{}, false, to("b"), 10 * time.Minute, to("b"), 2},
		"another bucket":               {activities.PreflightConfig{}, false, to("b"), 0, to("c"), 2},
		"another secret":               {activities.PreflightConfig{}, false, toFile(b), 0, toFile(&lk.S3Upload{Bucket: "b", Secret: "2"}), 2},
		"one twice in a request":       {activities.PreflightConfig{}, false, two(b, b), 0, toFile(b), 1},
		"two in a request":             {activities.PreflightConfig{}, false, two(b, &lk.S3Upload{Bucket: "c"}), 0, toFile(b), 2},
		"a refused one, at once again": {activities.PreflightConfig{}, false, to("gone"), 0, to("gone"), 2},
		"one in doubt, not so soon":    {activities.PreflightConfig{}, false, to("away"), 29 * time.Second, to("away"), 1},
		"one in doubt, later":          {activities.PreflightConfig{}, false, to("away"), 30 * time.Second, to("away"), 2},
		"always":                       {activities.PreflightConfig{Always: true}, false, to("b"), 0, to("b"), 2},
		"off":                          {activities.PreflightConfig{Off: true}, false, to("b"), 0, to("b"), 0},
		"off, but asked for":           {activities.PreflightConfig{Off: true}, true, to("b"), 0, to("b"), 2},
		"asked for":                    {activities.PreflightConfig{}, true, to("b"), 0, to("b"), 2},
		"LiveKit's own":                {activities.PreflightConfig{}, false, &lk.WebEgressRequest{FileOutputs: []*lk.EncodedFileOutput{{}}}, 0, webRequest(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) {
				p := &storeProber{found: map[string]egress.Probed{"gone": egress.ProbeRefused, "away": egress.ProbeUnreachable}}
				tc.cfg.Prober = p
				f := activities.NewPreflight(tc.cfg)
				for _, r := range []egress.Request{tc.first, tc.second} {
					in := activities.StartRequest{RequestID: requestID, Part: 1, Input: egress.Input{Plain: r, Preflight: tc.asked}}
					_, _ = start(t, &api{onStart: accepts}, in, func(c *activities.Config) { c.Preflight = f }) // some are refused
					pass(tc.wait)
				}
				require.Len(t, p.tries(), tc.want, "%v", p.tries())
			})
		})
	}
}

func TestWhatMayRunAlreadyIsNotTried(t *testing.T) {
	t.Parallel()
	in := sealedFor(t, to("gone"), "")
	gone := func() *storeProber { return &storeProber{found: map[string]egress.Probed{"gone": egress.ProbeRefused}} }
	t.Run("an attempt after one that died", func(t *testing.T) {
		t.Parallel()
		bubble(t, func(t *testing.T) {
			a, p := &api{onList: lists(ours(t, "EG_earlier"))}, gone()
			s, err := secondAttempt(t, a, in, trying(activities.PreflightConfig{Prober: p}))
			require.NoError(t, err)
			require.Equal(t, "EG_earlier", s.Info.Proto().GetEgressId())
			require.Empty(t, p.tries())
		})
	})
	t.Run("a key whose earlier run began one", func(t *testing.T) {
		t.Parallel()
		again := in
		again.Input.Again = true
		bubble(t, func(t *testing.T) {
			a, p := &api{onList: lists(ours(t, "EG_earlier"))}, gone()
			s, err := start(t, a, again, trying(activities.PreflightConfig{Prober: p}))
			require.NoError(t, err)
			require.Equal(t, "EG_earlier", s.Info.Proto().GetEgressId())
			require.Empty(t, p.tries())
		})
	})
	t.Run("a key whose earlier run began nothing", func(t *testing.T) {
		t.Parallel()
		again := in
		again.Input.Again = true
		bubble(t, func(t *testing.T) {
			_, err := start(t, &api{onList: lists()}, again, trying(activities.PreflightConfig{Prober: gone()}))
			_, e := failed(t, err)
			require.Equal(t, "file_outputs[0].s3.bucket", e.Field)
		})
	})
}

func TestStartsAtTheSameMomentShareOneTry(t *testing.T) {
	t.Parallel()
	in := sealedFor(t, to("b"), "")
	bubble(t, func(t *testing.T) {
		p := &storeProber{hang: make(chan struct{})}
		change := trying(activities.PreflightConfig{Prober: p})
		done := make(chan error, 5)
		for range cap(done) {
			env, act := newEnv(&api{}), activitiesOf(t, &api{onStart: accepts}, change)
			env.RegisterActivity(act.Start)
			go func() {
				_, err := env.ExecuteActivity(act.Start, in)
				done <- err
			}()
		}
		synctest.Wait()
		close(p.hang)
		for range cap(done) {
			require.NoError(t, <-done)
		}
		require.Len(t, p.tries(), 1)
	})
}
