package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/gateway"
)

// everyStart holds a start of each kind, with a webhook of the caller's, and how a client makes it.
var everyStart = map[string]struct {
	request egress.Request
	ask     func(context.Context, livekit.Egress, egress.Request) (*livekit.EgressInfo, error)
}{
	"StartEgress": {
		&livekit.StartEgressRequest{RoomName: "daily", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartEgress),
	},
	"StartRoomCompositeEgress": {
		&livekit.RoomCompositeEgressRequest{RoomName: "daily", Layout: "grid", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartRoomCompositeEgress),
	},
	"StartWebEgress": {
		&livekit.WebEgressRequest{Url: "https://x.example.com", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartWebEgress),
	},
	"StartParticipantEgress": {
		&livekit.ParticipantEgressRequest{RoomName: "daily", Identity: "alice", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartParticipantEgress),
	},
	"StartTrackCompositeEgress": {
		&livekit.TrackCompositeEgressRequest{RoomName: "daily", AudioTrackId: "TR_1", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartTrackCompositeEgress),
	},
	"StartTrackEgress": {
		&livekit.TrackEgressRequest{RoomName: "daily", TrackId: "TR_1", Webhooks: []*livekit.WebhookConfig{theirs()}},
		asking(livekit.Egress.StartTrackEgress),
	},
}

func asking[R egress.Request](method func(livekit.Egress, context.Context, R) (*livekit.EgressInfo, error)) func(context.Context, livekit.Egress, egress.Request) (*livekit.EgressInfo, error) {
	return func(ctx context.Context, client livekit.Egress, r egress.Request) (*livekit.EgressInfo, error) {
		return method(client, ctx, r.(R))
	}
}

func TestEveryKindOfStartIsDurableInBothFormats(t *testing.T) {
	t.Parallel()
	for format, client := range map[string]func(string, livekit.HTTPClient, ...twirp.ClientOption) livekit.Egress{
		"protobuf": livekit.NewEgressProtobufClient, "JSON": livekit.NewEgressJSONClient,
	} {
		for method, start := range everyStart {
			t.Run(format+" "+method, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, nil)
				ctx, err := twirp.WithHTTPRequestHeaders(t.Context(), http.Header{
					"Authorization":   {"Bearer " + token(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})},
					"Idempotency-Key": {"call-7"},
				})
				require.NoError(t, err)
				asked := time.Now()
				got, err := start.ask(ctx, client(b.serve(t), http.DefaultClient), start.request)
				require.NoError(t, err)
				want := echo(start.request, "EG_call-7")
				require.True(t, proto.Equal(want, got), "want %v\ngot  %v", want, got)

				require.Len(t, b.recordings.begun(), 1)
				s := b.recordings.begun()[0]
				require.Equal(t, "call-7", s.RequestID)
				require.False(t, s.Made)
				require.Equal(t, &egress.Asker{APIKey: apiKey, Identity: "agent"}, s.AskedBy)
				require.True(t, proto.Equal(start.request, s.Request))
				require.WithinRange(t, s.StartBy, asked.Add(2*time.Second), time.Now().Add(2*time.Second))
				require.Empty(t, b.liveKit.started())
				require.Equal(t, map[string]int64{method + " durable": 1}, b.counts(t))
			})
		}
	}
}

func TestLiveKitsOwnSDKStartsThroughTheDoor(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	got, err := b.sdk(t).StartRoomCompositeEgress(t.Context(), &livekit.RoomCompositeEgressRequest{RoomName: "daily"})
	require.NoError(t, err)
	s := b.recordings.begun()[0]
	require.True(t, s.Made)
	require.NoError(t, egress.ValidateRequestID(s.RequestID))
	require.Equal(t, "EG_"+s.RequestID, got.GetEgressId())
	require.Empty(t, got.GetRoomComposite().GetWebhooks(), "our webhook shows")
}

// Unknown fields that a newer SDK sends in protobuf reach the workflow with the rest.
func TestUnknownProtobufFieldsSurvive(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	r := &livekit.WebEgressRequest{Url: "https://x.example.com"}
	r.ProtoReflect().SetUnknown([]byte{0xf8, 0x7f, 0x07}) // field 2047 is 7
	_, err := b.sdk(t).StartWebEgress(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, []byte{0xf8, 0x7f, 0x07}, []byte(b.recordings.begun()[0].Request.ProtoReflect().GetUnknown()))
}

func TestEveryAnswerToAStartNamesItsRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	require.Equal(t, "call-7", b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-7").Header().Get("X-Reelkeeper-Request-Id"))
	made := b.call(t, "StartWebEgress", `{}`).Header().Get("X-Reelkeeper-Request-Id")
	require.Equal(t, b.recordings.begun()[1].RequestID, made)
	b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
		return nil, &egress.Error{Reason: egress.NotFound, Code: "not_found", Message: "requested room does not exist"}
	}
	w := b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-8")
	require.Equal(t, http.StatusNotFound, w.Code)
	require.Equal(t, "call-8", w.Header().Get("X-Reelkeeper-Request-Id"))
	require.Empty(t, b.call(t, "ListEgress", `{}`).Header().Get("X-Reelkeeper-Request-Id"))
}

func TestABadIdempotencyKeyIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"two words", "EG_1", "x/y", string(make([]byte, 129))} {
		b := newBench(t, nil)
		w := b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", key)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Equal(t, "invalid_argument", refusalIn(t, w).Code)
		require.Contains(t, refusalIn(t, w).Msg, "Idempotency-Key: ")
		require.Empty(t, b.recordings.begun())
		require.Equal(t, map[string]int64{"StartWebEgress refused": 1}, b.counts(t))
	}
}

// LiveKit would accept it, and then send nothing.
func TestAWebhookWithAnUnknownSigningKeyIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"webhooks":[{"url":"https://a.example.com","signing_key":"APIkey"},{"url":"https://b.example.com","signing_key":"APIwho"}]}`,
		`{"not_invented_yet":1,"webhooks":[{"url":"https://a.example.com"},{"url":"https://b.example.com","signing_key":"APIwho"}]}`,
	} {
		b := newBench(t, nil)
		w := b.call(t, "StartWebEgress", body)
		require.Equal(t, refusal{"invalid_argument", `webhooks[1].signing_key: "APIwho" is not an API key of this project`}, refusalIn(t, w))
		require.Empty(t, b.recordings.begun())
	}
}

func TestMoreWebhooksThanAreServedAreRefused(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`,{"url":"https://a.example.com"}`, 11)[1:]
	for _, body := range []string{`{"webhooks":[` + many + `]}`, `{"not_invented_yet":1,"webhooks":[` + many + `]}`} {
		b := newBench(t, nil)
		w := b.call(t, "StartWebEgress", body)
		require.Equal(t, refusal{"invalid_argument", "webhooks: are 11; the limit is 10"}, refusalIn(t, w))
		require.Empty(t, b.recordings.begun())
	}
}

// The key may have been replaced by another by the time we send it.
func TestAWebhookWithoutASigningKeyIsSealedAndShownAsItCame(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	got, err := b.sdk(t).StartWebEgress(t.Context(), &livekit.WebEgressRequest{Webhooks: []*livekit.WebhookConfig{{Url: "https://a.example.com"}}})
	require.NoError(t, err)
	require.Empty(t, b.recordings.begun()[0].Request.GetWebhooks()[0].GetSigningKey())
	require.Empty(t, got.GetWeb().GetWebhooks()[0].GetSigningKey())
	require.Equal(t, "https://a.example.com", got.GetWeb().GetWebhooks()[0].GetUrl())
}

func TestWhatLiveKitRefusedReachesTheCallerUnchanged(t *testing.T) {
	t.Parallel()
	for code, msg := range map[twirp.ErrorCode]string{
		twirp.NotFound: "requested room does not exist", twirp.InvalidArgument: "request has no outputs",
		twirp.ResourceExhausted: "egress quota exceeded", twirp.Unavailable: "no response from servers",
	} {
		for where, begin := range map[string]func(error) (gateway.Pending, error){
			"before": func(err error) (gateway.Pending, error) { return nil, err },
			"after": func(err error) (gateway.Pending, error) {
				return pending(func(context.Context) (egress.Info, error) { return egress.Info{}, err }), nil
			},
		} {
			t.Run(fmt.Sprintf("%s %s it was durable", code, where), func(t *testing.T) {
				t.Parallel()
				b := newBench(t, nil)
				b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
					return begin(fmt.Errorf("start egress: %w", &egress.Error{Reason: egress.Refused, Code: string(code), Message: msg}))
				}
				_, err := b.sdk(t).StartWebEgress(t.Context(), &livekit.WebEgressRequest{})
				var te twirp.Error
				require.ErrorAs(t, err, &te)
				require.Equal(t, code, te.Code())
				require.Equal(t, msg, te.Msg())
				require.Empty(t, b.liveKit.started(), "it failed open")
			})
		}
	}
}

func TestNoAnswerInTimeSaysHowToAskAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
			return pending(func(ctx context.Context) (egress.Info, error) {
				<-ctx.Done()
				return egress.Info{}, &egress.Error{Reason: egress.Ambiguous, Err: fmt.Errorf("%w: %w", egress.ErrTemporal, ctx.Err())}
			}), nil
		}
		began := time.Now()
		w := b.call(t, "StartWebEgress", `{}`, "Idempotency-Key", "call-7")
		require.Equal(t, 9*time.Second, time.Since(began))
		require.Equal(t, refusal{
			"deadline_exceeded",
			"no answer in time; the recording may go on: ask again with the header Idempotency-Key: call-7",
		}, refusalIn(t, w))
		require.Equal(t, http.StatusRequestTimeout, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"), "OkHttp would send the start again by itself")
		require.Empty(t, b.liveKit.started(), "what is durable failed open")
		require.Equal(t, map[string]int64{"StartWebEgress unanswered": 1}, b.counts(t))
	})
}

func TestACallerWhoGivesUpStopsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		gone, hangUp := context.WithCancel(t.Context())
		var failed error
		b.recordings.begin = func(ctx context.Context, s egress.StartOptions) (gateway.Pending, error) {
			hangUp()
			return pending(func(ctx context.Context) (egress.Info, error) {
				failed = ctx.Err()
				return egress.NewInfo(echo(s.Request, "EG_1"))
			}), ctx.Err()
		}
		r := request(gone, t, "StartWebEgress", `{}`)
		require.Equal(t, http.StatusOK, b.do(r).Code)
		require.NoError(t, failed)
	})
}

func TestTheAnswerIsLiveKitsEgressInfo(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.call(t, "StartRoomCompositeEgress", `{"room_name":"daily","file_outputs":[{"filepath":"x.mp4"}],"webhooks":[{"url":"https://a.example.com/?k=v","signing_key":"APIother"}]}`, "Idempotency-Key", "call-7")
	want := echo(&livekit.RoomCompositeEgressRequest{
		RoomName: "daily", FileOutputs: []*livekit.EncodedFileOutput{{Filepath: "x.mp4"}},
		Webhooks: []*livekit.WebhookConfig{{Url: "https://a.example.com/?k=v", SigningKey: otherKey}},
	}, "EG_call-7")
	b2, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(want)
	require.NoError(t, err)
	require.JSONEq(t, string(b2), w.Body.String())
}

func TestAStartWithoutAnEgressIsOurFault(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
		return pending(func(context.Context) (egress.Info, error) { return egress.Info{}, nil }), nil
	}
	w := b.call(t, "StartWebEgress", `{}`)
	require.Equal(t, refusal{"internal", "the start has no EgressInfo"}, refusalIn(t, w))
	require.Equal(t, map[string]int64{"StartWebEgress error": 1}, b.counts(t))
}

func TestTheLogLineOfAStartSaysWhatAnOperatorSearchesFor(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	body, err := json.Marshal(map[string]any{
		"room_name": "daily", "custom_base_url": "https://x.example.com/?token=CANARY",
		"webhooks":     []any{map[string]any{"url": "https://a.example.com/?key=CANARY"}},
		"file_outputs": []any{map[string]any{"filepath": "x.mp4", "s3": map[string]any{"secret": "CANARY", "bucket": "b"}}},
	})
	require.NoError(t, err)
	w := b.call(t, "StartRoomCompositeEgress", string(body), "Idempotency-Key", "call-7")
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Equal(t, map[string]any{
		"level": "INFO", "msg": "door", "method": "StartRoomCompositeEgress", "outcome": "durable",
		"requestID": "call-7", "egressID": "EG_call-7", "room": "daily", "apiKey": apiKey, "identity": "agent",
	}, b.line(t))
}

func TestTheAnswerToAStartNamesItsPageAsItWasSent(t *testing.T) {
	t.Parallel()
	const page = "https://page.example.com/rec?layout=grid&n=1"
	for body, method := range map[string]string{
		`{"url":"` + page + `"}`:                                              "StartWebEgress",
		`{"room_name":"daily","custom_base_url":"` + page + `"}`:              "StartRoomCompositeEgress",
		`{"web":{"url":"` + page + `"}}`:                                      "StartEgress",
		`{"room_name":"daily","template":{"custom_base_url":"` + page + `"}}`: "StartEgress",
	} {
		b := newBench(t, nil)
		m := infoIn(t, b.call(t, method, body))
		shown, err := protojson.Marshal(m)
		require.NoError(t, err)
		require.Contains(t, string(shown), page, method)
	}
}

// A key may have started another web egress, which neither Temporal nor this door remembers.
func TestThePageOfAnotherStartIsNotNamedAsThisOnes(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.recordings.begin = func(context.Context, egress.StartOptions) (gateway.Pending, error) {
		return pending(func(context.Context) (egress.Info, error) {
			return egress.NewInfo(echo(&livekit.WebEgressRequest{Url: "https://other.example.com/?a=b"}, "EG_1"))
		}), nil
	}
	m := infoIn(t, b.call(t, "StartWebEgress", `{"url":"https://page.example.com/?a=b"}`))
	require.Equal(t, "https://other.example.com/?a={redacted}", m.GetWeb().GetUrl())
}
