package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"regexp"
	"strings"
	"testing"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/stretchr/testify/require"
	"github.com/twitchtv/twirp"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/reelkeeper/reelkeeper/app"
	"github.com/reelkeeper/reelkeeper/egress"
	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// canary is in every field that may hold a credential.
const canary = "CANARY-5ecret"

// secretNames matches those fields by name, not by the marks that our redaction uses.
var secretNames = regexp.MustCompile(`^(access_key|secret|session_token|assume_role_external_id|credentials|account_key|password|username)$|url`)

// withSecrets fills a request with credentials. Each oneof uses another of its variants in each
// element of a list and for each turn, so that all occur.
func withSecrets(m protoreflect.Message, turn int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if of := f.ContainingOneof(); of != nil && !of.IsSynthetic() && of.Fields().Get(turn%of.Fields().Len()) != f {
			continue
		}
		switch {
		case f.IsMap():
		case f.IsList() && f.Message() != nil:
			for n := range 4 {
				withSecrets(m.Mutable(f).List().AppendMutable().Message(), turn+n)
			}
		case f.Message() != nil:
			withSecrets(m.Mutable(f).Message(), turn)
		case f.Kind() != protoreflect.StringKind || !secretNames.MatchString(string(f.Name())):
		case f.IsList():
			m.Mutable(f).List().Append(protoreflect.ValueOfString(secretURL(f, turn)))
		case strings.Contains(string(f.Name()), "url"):
			m.Set(f, protoreflect.ValueOfString(secretURL(f, turn)))
		default:
			m.Set(f, protoreflect.ValueOfString(canary))
		}
	}
}

// secretURL returns a URL with a credential in every place that can hold one.
func secretURL(f protoreflect.FieldDescriptor, turn int) string {
	if f.Name() == "urls" {
		return fmt.Sprintf("rtmp://live.example.com/app/%s-%d", canary, turn)
	}
	scheme := "https"
	if strings.Contains(string(f.Name()), "websocket") {
		scheme = "wss"
	}
	return fmt.Sprintf("%s://user:%s@host.example.com/?token=%s", scheme, canary, canary)
}

// No history, search attribute, memo, log or metric ever holds a credential, for any kind of
// request, whether it is recorded, fails, or is refused.
func TestNoSecretRests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *fakelivekit.Config, environ map[string]string) {
		environ["REELKEEPER_LOG_LEVEL"] = "debug"
		environ["REELKEEPER_FAIL_OPEN_AFTER"] = "off" // all go through workflows
	})
	w.startWorker()
	theirs := newConsumer(t)
	w.room("room", fakelivekit.RoomScript{})
	w.room("fails", fakelivekit.RoomScript{Faults: []fakelivekit.Fault{fakelivekit.Failed}})
	asked, sent := 0, 0
	ask := func(id string, r egress.Request) (answer string, ok bool) { // every second one through the door
		if asked++; asked%2 == 0 {
			return w.askDoor(id, r)
		}
		s, err := w.client.Start(w.ctx(), egress.StartOptions{RequestID: id, Request: r})
		if err != nil {
			return err.Error(), false
		}
		return string(s.Info.Raw()), true
	}
	for _, kind := range egress.Kinds() {
		for turn := range 5 {
			for _, room := range []string{"room", "fails", "unknown"} {
				id := fmt.Sprintf("%s-%d-%s", kind, turn, room)
				answer, ok := ask(id, secretRequest(t, kind, turn, room, theirs.URL))
				requireNone(t, canary, answer)
				if ok {
					sent++
					_, _ = w.client.Stop(w.ctx(), id) // one that fails by itself may have ended
				}
			}
		}
	}
	require.Greater(t, sent, 5*len(egress.Kinds()), "most are recorded")
	for _, url := range []string{"rtmps://live.example.com/" + canary, "rtpm://live.example.com/app/" + canary, "live.example.com/app/" + canary, "rtmp:/live.example.com/'" + canary, "rtmps://live.example.com/it's " + canary, "https://live.example.com/app/" + canary} {
		for range 2 {
			answer, _ := ask("quoted", &livekit.RoomCompositeEgressRequest{RoomName: "room", StreamOutputs: []*livekit.StreamOutput{{Urls: []string{url}}}})
			require.Contains(t, answer, "invalid url", "LiveKit quotes the URL")
			requireNone(t, canary, answer)
		}
	}
	for _, e := range w.fake.Egresses() {
		b, err := protojson.Marshal(e.Request)
		require.NoError(t, err)
		require.Contains(t, string(b), canary, "LiveKit itself gets every credential")
	}
	w.automaticFailure()
	w.want("all have ended", func() bool { return w.running() == 0 })

	histories := w.everything()
	require.Contains(t, histories, "{redacted}", "the search sees what rests")
	requireNone(t, canary, histories)
	require.Contains(t, w.log.String(), "DEBUG")
	requireNone(t, canary, w.log.String())
	requireNone(t, canary, w.metrics())
	door := metricsOf(t, w.front)
	require.Contains(t, door, "reelkeeper_door_requests_total")
	requireNone(t, canary, door)
}

// The same holds for a storage profile's, whether the start is accepted, refused for its storage,
// or goes past Temporal.
func TestNoSecretOfAProfileRests(t *testing.T) {
	t.Parallel()
	g := newGate(t, server.Address)
	w, _ := newStoredWorld(t, func(environ map[string]string) {
		environ["REELKEEPER_PREFLIGHT"], environ["TEMPORAL_ADDRESS"], environ["REELKEEPER_LOG_LEVEL"] = "always", g.Address, "debug"
	})
	w.startWorker()
	for _, profile := range []string{"nobucket", "nokey"} {
		w.want("refused for "+profile, func() bool {
			_, err := w.askStored(composite("room").(*livekit.RoomCompositeEgressRequest), "taken-"+profile, profile)
			var te twirp.Error
			require.ErrorAs(t, err, &te)
			requireNone(t, canary, err.Error())
			if tooSlow(te) {
				return false
			}
			require.ErrorContains(t, err, `storage: profile "`+profile+`"`)
			return true
		})
	}
	w.room("room", fakelivekit.RoomScript{})
	for _, profile := range []string{"", "good"} {
		info, err := w.askStored(composite("room").(*livekit.RoomCompositeEgressRequest), "taken-"+profile, profile)
		require.NoError(t, err)
		requireNone(t, canary, info.String())
	}
	g.cut()
	info, err := w.askStored(composite("room").(*livekit.RoomCompositeEgressRequest), "past", "good")
	require.NoError(t, err)
	requireNone(t, canary, info.String())
	for _, e := range w.fake.Egresses() {
		require.Contains(t, e.Request.(*livekit.RoomCompositeEgressRequest).String(), canary, "LiveKit itself gets every credential")
	}
	g.open()
	require.NoError(t, w.fake.EndCall("room"))
	w.want("all have ended", func() bool { return len(w.consumer.knows()) == 3 && w.running() == 0 })

	histories := w.everything()
	require.Contains(t, histories, `"storage":"good"`, "the name alone is kept")
	require.Contains(t, histories, `"media":"missing"`, "who looks for the media has the profile's credentials too")
	requireNone(t, canary, histories)
	requireNone(t, canary, w.log.String())
	requireNone(t, canary, w.metrics())
}

// secretRequest is a request of a kind whose every credential is the canary.
func secretRequest(t *testing.T, kind egress.Kind, turn int, room, webhookURL string) egress.Request {
	t.Helper()
	r := egress.NewRequest(kind)
	withSecrets(r.ProtoReflect(), turn)
	b, err := protojson.Marshal(r)
	require.NoError(t, err)
	var fields map[string]any
	require.NoError(t, json.Unmarshal(b, &fields))
	fields["webhooks"] = []any{map[string]any{"url": webhookURL + "/?token=" + canary, "signingKey": apiKey}}
	fields["roomName"] = room
	b, err = json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, r))
	require.GreaterOrEqual(t, bytes.Count(b, []byte(canary)), 2, kind)
	return r
}

// askDoor starts an egress through the door, and returns a refusal as it is sent. An EgressInfo is
// not returned: it shows its caller the page's URL as they sent it.
func (w *world) askDoor(id string, r egress.Request) (refusal string, ok bool) {
	w.t.Helper()
	body, err := protojson.Marshal(r)
	require.NoError(w.t, err)
	token, err := auth.NewAccessToken(apiKey, apiSecret).SetVideoGrant(&auth.VideoGrant{RoomRecord: true}).ToJWT()
	require.NoError(w.t, err)
	method := "Start" + strings.TrimSuffix(strings.TrimPrefix(string(r.ProtoReflect().Descriptor().Name()), "Start"), "Request")
	w.want("an answer in time", func() bool {
		req, err := http.NewRequestWithContext(w.ctx(), http.MethodPost, w.door.URL+livekit.EgressPathPrefix+method, bytes.NewReader(body))
		require.NoError(w.t, err)
		req.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Idempotency-Key": {id}}
		res, err := w.door.Client().Do(req)
		require.NoError(w.t, err)
		b, err := httputil.DumpResponse(res, true)
		require.NoError(w.t, errors.Join(err, res.Body.Close()))
		if ok = res.StatusCode == http.StatusOK; !ok {
			refusal = string(b)
		}
		return res.StatusCode != http.StatusRequestTimeout
	})
	return refusal, ok
}

// automaticFailure makes LiveKit report an automatic egress that never started, with its request in
// the clear.
func (w *world) automaticFailure() {
	const body = `{"event":"egress_ended","id":"EV_auto","egressInfo":{"status":"EGRESS_FAILED","roomName":"auto","error":"no workers",` +
		`"roomComposite":{"roomName":"auto","fileOutputs":[{"filepath":"x","s3":{"accessKey":"` + canary + `","secret":"` + canary + `","bucket":"b"}}]}}}`
	w.post(egress.WebhookPath, body)
}

// metrics returns the worker's metrics, as Prometheus gets them.
func (w *world) metrics() string {
	w.t.Helper()
	return metricsOf(w.t, w.worker)
}

func metricsOf(t *testing.T, a *app.App) string {
	t.Helper()
	res := httptest.NewRecorder()
	admin, err := a.Admin(func() bool { return true })
	require.NoError(t, err)
	admin.ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, res.Code)
	return res.Body.String()
}

// running counts the egress workflows that have not ended, according to visibility.
func (w *world) running() int64 {
	w.t.Helper()
	return w.counted(`WorkflowType = "Egress" AND ExecutionStatus = "Running"`)
}

// counted returns how many workflows of the world a query finds.
func (w *world) counted(query string) int64 {
	w.t.Helper()
	var r *workflowservice.CountWorkflowExecutionsResponse
	w.answered("a count", func() (err error) {
		r, err = w.temporal().CountWorkflow(w.ctx(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: w.environ["TEMPORAL_NAMESPACE"], Query: query,
		})
		return err
	})
	return r.GetCount()
}

// everything returns all that Temporal holds of a namespace, as text.
func (w *world) everything() string {
	w.t.Helper()
	var all strings.Builder
	c := w.temporal()
	req := &workflowservice.ListWorkflowExecutionsRequest{Namespace: w.environ["TEMPORAL_NAMESPACE"], PageSize: 1000}
	page, err := c.ListWorkflow(w.ctx(), req)
	require.NoError(w.t, err)
	for _, x := range page.GetExecutions() {
		b, err := protojson.Marshal(x) // search attributes and memo
		require.NoError(w.t, err)
		all.WriteString(decoded(b))
		it := c.GetWorkflowHistory(w.ctx(), x.GetExecution().GetWorkflowId(), x.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for it.HasNext() {
			e, err := it.Next()
			require.NoError(w.t, err)
			b, err := protojson.Marshal(e)
			require.NoError(w.t, err)
			all.WriteString(decoded(b))
		}
	}
	return all.String()
}

func requireNone(t *testing.T, canary, text string) {
	t.Helper()
	if i := strings.Index(text, canary); i >= 0 {
		t.Fatalf("a credential rests in: …%s…", text[max(0, i-200):min(len(text), i+100)])
	}
}

// decoded returns an event's JSON with the data of its payloads as text.
func decoded(event []byte) string {
	var tree any
	_ = json.Unmarshal(event, &tree)
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				var data []byte
				if s, ok := value.(string); ok && name == "data" && json.Unmarshal([]byte(`"`+s+`"`), &data) == nil {
					b.Write(data)
				}
				walk(value)
			}
		case []any:
			for _, value := range v {
				walk(value)
			}
		case string:
			b.WriteString(v + "\n")
		}
	}
	walk(tree)
	return b.String()
}
