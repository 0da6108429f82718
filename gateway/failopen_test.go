package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// away is Temporal out of reach.
var away = error(&egress.Error{
	Reason: egress.Unavailable, Message: "dial tcp 10.0.0.7:7233: connection refused",
	Err: fmt.Errorf("%w: connection refused", egress.ErrTemporal),
})

func gone(context.Context, egress.StartOptions) (gateway.Pending, error) { return nil, away }

// silent is a Temporal that does not answer.
func silent(ctx context.Context, _ egress.StartOptions) (gateway.Pending, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

const start = `{"room_name":"daily","webhooks":[{"url":"https://a.example.com","signing_key":"APIother"},{"url":"https://b.example.com"}]}`

func infoIn(tb testing.TB, w *httptest.ResponseRecorder) *livekit.EgressInfo {
	tb.Helper()
	require.Equal(tb, http.StatusOK, w.Code, w.Body.String())
	m := &livekit.EgressInfo{}
	require.NoError(tb, protojson.Unmarshal(w.Body.Bytes(), m))
	return m
}

func TestWithoutTemporalAStartGoesStraightToLiveKit(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(context.Context, egress.StartOptions) (gateway.Pending, error){
		"out of reach": gone, "silent": silent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = begin
				began := time.Now()
				m := infoIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7"))

				require.Equal(t, 3*time.Second, time.Since(began), "a worker may ask LiveKit for 2 s, and clocks may differ by 1 s")
				require.Equal(t, began.Add(2*time.Second), b.recordings.begun()[0].StartBy)
				require.Equal(t, []string{"daily"}, b.liveKit.looked())
				require.Len(t, b.liveKit.started(), 1)
				hooks := b.liveKit.started()[0].GetWebhooks()
				require.Len(t, hooks, 3)
				require.True(t, proto.Equal(ours("call-7"), hooks[0]), "LiveKit stops at the first that it does not know")
				require.Equal(t, otherKey, hooks[1].GetSigningKey())
				require.Equal(t, apiKey, hooks[2].GetSigningKey(), "one without a key stops them all on older servers")

				require.Equal(t, "EG_direct", m.GetEgressId())
				require.Equal(t, []string{"https://a.example.com", "https://b.example.com"}, urlsOf(m))
				require.Equal(t, map[string]int64{"StartRoomCompositeEgress failed_open": 1}, b.counts(t))
				line := b.line(t)
				require.Equal(t, "ERROR", line["level"])
				require.Equal(t, "failed_open", line["outcome"])
				require.Equal(t, "EG_direct", line["egressID"])
				require.Equal(t, "call-7", line["requestID"])
				require.NotEmpty(t, line["error"])
			})
		})
	}
}

func urlsOf(m *livekit.EgressInfo) []string {
	var urls []string
	for _, w := range egress.Webhooks(m) {
		urls = append(urls, w.GetUrl())
	}
	return urls
}

// A worker called LiveKit, although the door never learned of its acceptance.
func TestAStartThatAWorkerMadeIsFoundAndNotMadeAgain(t *testing.T) {
	t.Parallel()
	for body, method := range map[string]string{`{"room_name":"daily"}`: "StartRoomCompositeEgress", `{"url":"https://x.example.com"}`: "StartWebEgress"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = func(_ context.Context, s egress.StartOptions) (gateway.Pending, error) {
					time.AfterFunc(time.Until(s.StartBy), func() {
						b.liveKit.add(running("EG_other", "call-6"), echo(egress.AddWebhook(s.Request, ours(s.RequestID)), "EG_worker"))
					})
					return nil, away
				}
				m := infoIn(t, b.call(t, method, body, "Idempotency-Key", "call-7"))
				require.Equal(t, "EG_worker", m.GetEgressId())
				require.Empty(t, urlsOf(m), "our webhook shows")
				require.Empty(t, b.liveKit.started())
			})
		})
	}
}

func TestAWebEgressIsLookedForAmongTheActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		<-time.After(time.Minute)
		infoIn(t, b.call(t, "StartWebEgress", `{}`))
		require.Equal(t, []string{"active"}, b.liveKit.looked())
	})
}

// The door that started it was killed, and the egress has ended.
func TestAWebEgressIsLookedForAmongAllByADoorThatHasJustBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		m := echo(egress.AddWebhook(&livekit.WebEgressRequest{}, ours("call-7")), "EG_before")
		m.Status = livekit.EgressStatus_EGRESS_COMPLETE
		b.liveKit.add(m)
		require.Equal(t, "EG_before", infoIn(t, b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-7")).GetEgressId())
		require.Empty(t, b.liveKit.started())
	})
}

// The answer was lost, and the egress had ended before its key was used again.
func TestAWebEgressThatEndedIsLookedForWhereItsKeyIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		<-time.After(time.Minute)
		b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
			m := echo(r, "EG_direct")
			m.Status = livekit.EgressStatus_EGRESS_LIMIT_REACHED
			b.liveKit.add(m)
			return nil, &egress.Error{Reason: egress.Ambiguous, Message: "no answer"}
		}
		ask := func(key string) *httptest.ResponseRecorder {
			return b.call(t, "StartWebEgress", `{"url":"https://x.example.com"}`, "Idempotency-Key", key)
		}
		require.Equal(t, "deadline_exceeded", refusalIn(t, ask("call-7")).Code)
		require.Equal(t, "EG_direct", infoIn(t, ask("call-7")).GetEgressId())
		require.Len(t, b.liveKit.started(), 1)
		require.Equal(t, []string{"active", "all"}, b.liveKit.looked())

		<-time.After(time.Hour)
		ask("call-7")
		require.Equal(t, []string{"active", "all", "active"}, b.liveKit.looked(), "a list of everything is for keys that are known")
	})
}

func TestWhatTemporalRefusedNeverFailsOpen(t *testing.T) {
	t.Parallel()
	for reason, code := range map[egress.Reason]string{
		egress.Conflict: "already_exists", egress.Invalid: "invalid_argument", egress.NotFound: "not_found",
		egress.TooLate: "unavailable", egress.Internal: "internal", egress.Ambiguous: "deadline_exceeded",
	} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
				return nil, &egress.Error{Reason: reason, Message: "no"}
			}
			require.Equal(t, code, refusalIn(t, b.call(t, "StartWebEgress", `{}`)).Code)
			require.Empty(t, b.liveKit.looked())
			require.Empty(t, b.liveKit.started())
		})
	}
}

func TestWhereFailOpenIsOffTemporalHasTheWholeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, func(c *gateway.Config) { c.FailOpenAfter = 0 })
		b.recordings.begin = silent
		began := time.Now()
		w := b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-7")
		require.Equal(t, 9*time.Second, time.Since(began))
		require.True(t, b.recordings.begun()[0].StartBy.IsZero())
		require.Equal(t, "deadline_exceeded", refusalIn(t, w).Code)
		require.Contains(t, refusalIn(t, w).Msg, "Idempotency-Key: call-7")

		b.recordings.begin = gone
		require.Equal(t, refusal{"unavailable", "Temporal does not answer"}, refusalIn(t, b.call(t, "StartWebEgress", `{}`)))
		require.Empty(t, b.liveKit.started())
	})
}

func TestWithoutAListNothingIsStartedThatMayBeTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		b.liveKit.list = func(context.Context) error {
			return &egress.Error{Reason: egress.RateLimited, Code: "resource_exhausted", Message: "rate limit exceeded"}
		}
		w := b.call(t, "StartWebEgress", `{}`)
		require.Equal(t, "deadline_exceeded", refusalIn(t, w).Code)
		require.Contains(t, refusalIn(t, w).Msg, "may go on")
		require.Empty(t, b.liveKit.started())
	})
}

func TestALiveKitThatDoesNotAnswerEither(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		said error
		want refusal
	}{
		"a refusal": {
			&egress.Error{Reason: egress.NotFound, Code: "not_found", Message: "requested room does not exist"},
			refusal{"not_found", "requested room does not exist"},
		},
		"out of reach": {
			&egress.Error{Reason: egress.Unreachable, Code: "internal", Message: `failed to do request: Post "http://10.0.0.8": refused`},
			refusal{"unavailable", "LiveKit not reached"},
		},
		"a cut": {
			&egress.Error{Reason: egress.Ambiguous, Code: "internal", Message: `failed to do request: Post "http://10.0.0.8": EOF`},
			refusal{"deadline_exceeded", "no answer in time; the recording may go on: ask again with the header Idempotency-Key: call-7"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = gone
				b.liveKit.start = func(context.Context, egress.Request) (*livekit.EgressInfo, error) { return nil, tc.said }
				require.Equal(t, tc.want, refusalIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")))
			})
		})
	}
}

func TestAStartThatFailsOpenIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = silent
		b.liveKit.start = func(ctx context.Context, _ egress.Request) (*livekit.EgressInfo, error) {
			<-ctx.Done()
			return nil, &egress.Error{Reason: egress.Ambiguous, Err: ctx.Err()}
		}
		began := time.Now()
		require.Equal(t, "deadline_exceeded", refusalIn(t, b.call(t, "StartWebEgress", `{}`)).Code)
		require.Equal(t, 9*time.Second, time.Since(began))
	})
}

func TestTwoCallersWithOneKeyFailOpenToOneEgress(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		second string
		codes  map[int]int
	}{
		"the same request": {`{"room_name":"daily"}`, map[int]int{http.StatusOK: 2}},
		"another request":  {`{"room_name":"weekly"}`, map[int]int{http.StatusOK: 1, http.StatusConflict: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.recordings.begin = gone
				b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
					<-time.After(time.Second) // LiveKit's own time
					return echo(r, "EG_direct"), nil
				}
				var all sync.WaitGroup
				codes := make(chan int, 2)
				for _, body := range []string{`{"room_name":"daily"}`, tc.second} {
					all.Go(func() { codes <- b.call(t, "StartRoomCompositeEgress", body, "Idempotency-Key", "call-7").Code })
				}
				all.Wait()
				got := map[int]int{}
				got[<-codes]++
				got[<-codes]++
				require.Equal(t, tc.codes, got)
				require.Len(t, b.liveKit.started(), 1)
			})
		})
	}
}

func TestAKeyAskedAgainFindsWhatItStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		for range 2 {
			require.Equal(t, "EG_direct", infoIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")).GetEgressId())
		}
		require.Len(t, b.liveKit.started(), 1)
	})
}

// Another Reelkeeper on the same LiveKit may have the same keys.
func TestANeighboursEgressIsNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		theirs := running("EG_neighbour", "")
		theirs.GetRoomComposite().Webhooks = []*livekit.WebhookConfig{{Url: egress.Token{RequestID: "call-7", Part: 1, MAC: "not-of-our-key"}.URL(publicURL)}}
		b.liveKit.add(theirs)
		require.Equal(t, "EG_direct", infoIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")).GetEgressId())
		require.Len(t, b.liveKit.started(), 1)
	})
}

// A caller that did not hear of a start that went past Temporal asks again, and then gets a
// workflow that does not know of it.
func TestAfterAStartPastTemporalAWorkflowLooksBeforeItStarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		again := func(header ...string) bool {
			b.call(t, "StartRoomCompositeEgress", start, header...)
			begun := b.recordings.begun()
			return begun[len(begun)-1].Again
		}
		require.True(t, again("Idempotency-Key", "call-6"), "the door before this one may have")
		b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-5")
		require.False(t, b.recordings.begun()[1].Again, "a web egress would have to be looked for among everything")
		<-time.After(time.Minute)
		require.False(t, again("Idempotency-Key", "call-6"))
		b.recordings.begin = gone
		require.False(t, again("Idempotency-Key", "call-7"), "nothing went past before this")
		b.recordings.begin = nil
		require.True(t, again("Idempotency-Key", "call-7"))
		require.False(t, again(), "nobody can have asked by a key that was made just now")
		<-time.After(time.Minute)
		require.False(t, again("Idempotency-Key", "call-8"))
		require.True(t, again("Idempotency-Key", "call-7"), "no round may have adopted it")
		<-time.After(time.Hour)
		require.False(t, again("Idempotency-Key", "call-7"))
	})
}

// LiveKit lists a start only once it answers, so a workflow would not find it.
func TestWhoAsksAgainBeforeLiveKitHasAnsweredHasTheSameStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = gone
		b.liveKit.start = func(_ context.Context, r egress.Request) (*livekit.EgressInfo, error) {
			<-time.After(5 * time.Second)
			return echo(r, "EG_slow"), nil
		}
		ask := func() string {
			return infoIn(t, b.call(t, "StartRoomCompositeEgress", start, "Idempotency-Key", "call-7")).GetEgressId()
		}
		first := make(chan string, 1)
		go func() { first <- ask() }()
		<-time.After(4 * time.Second) // 3 s are Temporal's
		b.recordings.begin = nil

		require.Equal(t, "EG_slow", ask())

		require.Equal(t, "EG_slow", <-first)
		require.Len(t, b.liveKit.started(), 1)
		require.Len(t, b.recordings.begun(), 1, "the first one's alone")
	})
}
