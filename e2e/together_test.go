package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/webhook"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

const (
	billingKey, billingSecret = "APIbilling", "billing-secret-billing-secret-billing"
	whsec                     = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// witness is a consumer that keeps every request in full.
type witness struct {
	*httptest.Server
	key, secret string // of LiveKit's signature, the only one that it accepts

	mu     sync.Mutex
	heard  []testimony
	answer func() int // default: 200
}

// testimony is one request that LiveKit's own receiver has accepted.
type testimony struct {
	event  *livekit.WebhookEvent
	header http.Header
	body   []byte
}

func newWitness(t *testing.T, key, secret string) *witness {
	t.Helper()
	c := &witness{key: key, secret: secret}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

// ServeHTTP takes one announcement.
func (c *witness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	r.Body = io.NopCloser(io.TeeReader(r.Body, &body))
	e, err := webhook.ReceiveWebhookEvent(r, auth.NewSimpleKeyProvider(c.key, c.secret))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	c.mu.Lock()
	c.heard = append(c.heard, testimony{e, r.Header, body.Bytes()})
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		w.WriteHeader(answer())
	}
}

func (c *witness) all() []testimony {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]testimony(nil), c.heard...)
}

// scheduled returns the activities of a recording, in order.
func (w *world) scheduled(requestID string) []string {
	w.t.Helper()
	var names []string
	for _, e := range w.history(requestID) {
		if name := e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName(); name != "" && name != "Start" && name != "Poll" {
			names = append(names, name)
		}
	}
	return names
}

// twoConsumers is a pipeline with two consumers for every end, one for none of these, and a step.
func twoConsumers(billing, archive string) string {
	return `
default: whole
pipelines:
  whole:
    consumers:
      - {name: billing, url: "` + billing + `", key: ` + billingKey + `}
      - {name: archive, url: "` + archive + `", when: [EGRESS_COMPLETE]}
      - {name: alarm, url: "` + archive + `/alarm", when: [EGRESS_FAILED, LOST]}
    steps:
      - {name: index, activity: Index, task_queue: media}
`
}

// All parts of a delivery: the media is looked for in a real store, each consumer is told in its
// own way, and the step is given what was found; then it is run again.
func TestADeliveryFromVerifyToAStepThatIsRunAgain(t *testing.T) {
	t.Parallel()
	store, billing, archive := newS3Store(t), newWitness(t, billingKey, billingSecret), newWitness(t, apiKey, apiSecret)
	ran := make(chan struct{})
	billing.answer = func() int { // down until the step has run
		select {
		case <-ran:
			return http.StatusOK
		default:
			return http.StatusServiceUnavailable
		}
	}
	pipeline := withPipeline(t, twoConsumers(billing.URL, archive.URL), "LIVEKIT_KEYS", billingKey+": "+billingSecret, "REELKEEPER_WEBHOOK_SECRETS", "archive: "+whsec)
	w := newMediaWorld(t, store, func(environ map[string]string) { pipeline(nil, environ) })
	w.startWorker()
	index := w.theirWorker("media", "Index")
	index.answerWith(func(egress.StepInput) (any, error) {
		close(ran) // it is called once
		return map[string]int{"line": 7}, nil
	})
	w.room("room", fakelivekit.RoomScript{Call: 2 * time.Second})
	id := store.record(w, "room").Info.Proto().GetEgressId()

	v := w.verdict("room")

	require.Equal(t, egress.MediaPresent, v.Media, v.MediaBecause)
	require.JSONEq(t, `{"line":7}`, string(v.Results["index"]))
	require.ElementsMatch(t, []string{"announce", "announce-archive", "index", "announce-billing"}, v.Delivered)
	require.Equal(t, []string{"Verify", "Announce", "Announce", "Announce"}, w.scheduled("r-room")[:4])
	require.Contains(t, w.scheduled("r-room")[4:], "Index")

	told := w.consumer.told(id)
	require.Len(t, told, 1)
	require.Len(t, archive.all(), 1, "not of an end that its second entry is not for")
	require.GreaterOrEqual(t, len(billing.all()), 2, "it was down until the step ran, which did not wait for it")
	for _, heard := range append(billing.all(), archive.all()...) {
		require.Equal(t, told[0].GetId(), heard.event.GetId())
		require.Equal(t, "present", heard.header.Get(egress.HeaderMedia))
		require.Equal(t, "r-room", heard.header.Get(egress.HeaderRequestID))
		require.Equal(t, "EGRESS_COMPLETE", heard.header.Get(egress.HeaderVerdict))
	}
	standard, err := standardwebhooks.NewWebhook(whsec)
	require.NoError(t, err)
	require.NoError(t, standard.Verify(archive.all()[0].body, archive.all()[0].header))
	require.Empty(t, billing.all()[0].header.Get("Webhook-Id"), "which has no such secret")

	first := index.inputs[0]
	require.Len(t, first.Files, len(v.Files))
	for i, f := range first.Files {
		require.Equal(t, egress.StepFile{Part: 1, MediaFile: v.Files[i]}, f)
	}
	require.Equal(t, egress.MediaPresent, first.Verdict.Media)
	require.Equal(t, v.StepKey("index"), first.IdempotencyKey)
	w.printsAll(v)
	w.runsAgain(store, index, archive)
}

// printsAll compares what starter prints with a verdict.
func (w *world) printsAll(v egress.Verdict) {
	w.t.Helper()
	w.want("it is over in the list", func() bool { return w.starter("", "export").out != "" })
	for _, line := range []string{w.starter("", "export").out, w.starter("", "wait", v.RequestID, "--json").out} {
		var printed struct {
			Media   egress.Media               `json:"media"`
			Files   []egress.MediaFile         `json:"files"`
			Results map[string]json.RawMessage `json:"results"`
			Info    map[string]json.RawMessage `json:"info"`
		}
		require.NoError(w.t, json.Unmarshal([]byte(line), &printed), line)
		require.Equal(w.t, v.Media, printed.Media)
		require.Equal(w.t, v.Files, printed.Files)
		require.JSONEq(w.t, `{"line":7}`, string(printed.Results["index"]))
		require.Contains(w.t, printed.Info, "egress_id")
		require.NotContains(w.t, printed.Info, "egressId")
	}
	w.says("show "+v.RequestID, "media", "present", "file room/call.mp4, present", `index: {"line":7}`)
	w.says("list --json", `"media": "present"`)
	w.says("report", "present 1")
}

// runsAgain runs the step again, after the store has gone.
func (w *world) runsAgain(store *s3Store, index *theirs, archive *witness) {
	w.t.Helper()
	store.set(true)
	asks, before, first := store.asks(), len(archive.all()), index.inputs[0]
	index.answerWith(func(egress.StepInput) (any, error) { return "done already", nil })

	said := w.starter("", "redeliver", "r-room", "--step", "index")

	require.Zero(w.t, said.status, said.err)
	require.Contains(w.t, said.out, "key "+first.IdempotencyKey)
	again := w.verdictOf(egress.RedeliveryID("r-room", 1))
	require.JSONEq(w.t, `"done already"`, string(again.Results["index"]))
	require.Equal(w.t, []string{"index"}, again.Delivered)
	require.Len(w.t, index.inputs, 2)
	require.Equal(w.t, first, index.inputs[1], "with the media as it was found")
	require.Equal(w.t, asks, store.asks(), "nobody looks anew")
	require.Len(w.t, archive.all(), before, "and nobody is told")
}
