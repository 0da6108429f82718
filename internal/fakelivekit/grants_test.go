package fakelivekit_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/internal/fakelivekit"
)

// call makes one raw JSON call and returns status, content type and body.
func (f *fake) call(method, query, header, body string) (int, string, string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), http.MethodPost, f.URL()+"/twirp/livekit."+method+query, strings.NewReader(body))
	require.NoError(f, err)
	req.Header.Set("Content-Type", "application/json")
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(f, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(f, err)
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(text)
}

func TestTokensAreCheckedAsLiveKitChecksThem(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	recorder := &auth.VideoGrant{RoomRecord: true}
	good := tokenFor(t, apiKey, apiSecret, recorder)
	expired, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": apiKey, "exp": time.Now().Add(-time.Hour).Unix(), "video": map[string]any{"roomRecord": true},
	}).SignedString([]byte(apiSecret))
	require.NoError(t, err)
	const list, plain, twirpJSON = "Egress/ListEgress", "text/plain; charset=utf-8", "application/json"
	for name, c := range map[string]struct {
		method, query, header, body string
		status                      int
		contentType, contains       string
	}{
		"a good token":                {list, "", "Bearer " + good, `{}`, 200, twirpJSON, `"items":[]`},
		"a token of another key":      {list, "", "Bearer " + tokenFor(t, otherKey, otherSecret, recorder), `{}`, 200, twirpJSON, `"items":[]`},
		"a token in the query":        {list, "?access_token=" + url.QueryEscape(good), "", `{}`, 200, twirpJSON, `"items":[]`},
		"a header without Bearer":     {list, "", good, `{}`, 401, plain, "invalid authorization header. Must start with Bearer "},
		"no token at all":             {list, "", "", `{}`, 401, twirpJSON, `"code":"unauthenticated","msg":"permissions denied"`},
		"not a token":                 {list, "", "Bearer nonsense", `{}`, 401, plain, "invalid authorization token"},
		"a bad token in the query":    {list, "?access_token=nonsense", "", `{}`, 401, plain, "invalid authorization token"},
		"an unknown key":              {list, "", "Bearer " + tokenFor(t, "APIwho", apiSecret, recorder), `{}`, 401, plain, "invalid API key: APIwho"},
		"a wrong secret":              {list, "", "Bearer " + tokenFor(t, apiKey, "wrong", recorder), `{}`, 401, plain, "invalid token: "},
		"an expired token":            {list, "", "Bearer " + expired, `{}`, 401, plain, "token is expired"},
		"no roomRecord":               {list, "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomList: true}), `{}`, 401, twirpJSON, `"permissions denied"`},
		"no roomRecord to start":      {"Egress/StartWebEgress", "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{}), `{}`, 401, twirpJSON, `"permissions denied"`},
		"no roomRecord to stop":       {"Egress/StopEgress", "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{}), `{}`, 401, twirpJSON, `"permissions denied"`},
		"no roomCreate to create":     {"RoomService/CreateRoom", "", "Bearer " + good, `{"name":"x"}`, 401, twirpJSON, `"permissions denied"`},
		"no roomCreate to delete":     {"RoomService/DeleteRoom", "", "Bearer " + good, `{"room":"daily"}`, 401, twirpJSON, `"permissions denied"`},
		"no roomList":                 {"RoomService/ListRooms", "", "Bearer " + good, `{}`, 401, twirpJSON, `"permissions denied"`},
		"admin of another room":       {"RoomService/ListParticipants", "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomAdmin: true, Room: "other"}), `{"room":"daily"}`, 401, twirpJSON, `"permissions denied"`},
		"admin of this room":          {"RoomService/ListParticipants", "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomAdmin: true, Room: "daily"}), `{"room":"daily"}`, 200, twirpJSON, `"identity":"alice"`},
		"admin who looks for someone": {"RoomService/GetParticipant", "", "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomAdmin: true, Room: "daily"}), `{"room":"daily","identity":"bob"}`, 404, twirpJSON, `"participant does not exist"`},
		"a method that is not":        {"Egress/Nonsense", "", "Bearer " + good, `{}`, 404, twirpJSON, `bad_route`},
		"a method left out":           {"RoomService/SendData", "", "Bearer " + good, `{}`, 501, twirpJSON, `unimplemented`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, contentType, body := f.call(c.method, c.query, c.header, c.body)
			require.Equal(t, c.status, status, body)
			require.Equal(t, c.contentType, contentType)
			require.Contains(t, body, c.contains)
		})
	}
}

func TestARawJSONStartAnswersInJSONWithProtoNames(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	token := "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})
	status, _, body := f.call("Egress/StartParticipantEgress", "", token,
		`{"room_name":"daily","identity":"alice","not_invented_yet":1,"file_outputs":[{"filepath":"rec/a.mp4"}]}`)
	require.Equal(t, http.StatusOK, status, body)
	var info struct {
		EgressID    string `json:"egress_id"`
		Participant struct {
			FileOutputs []struct{ Filepath string } `json:"file_outputs"`
		}
	}
	unmarshal(t, []byte(body), &info)
	require.Regexp(t, "^EG_", info.EgressID)
	require.Len(t, info.Participant.FileOutputs, 1)
	f.active(info.EgressID)
}

func TestARequestMayBeGzipped(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	var body bytes.Buffer
	zip := gzip.NewWriter(&body)
	_, err := zip.Write([]byte(`{"names":["daily"]}`))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	f.room("daily", fakelivekit.RoomScript{})
	f.room("other", fakelivekit.RoomScript{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.URL()+"/twirp/livekit.RoomService/ListRooms", &body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("Authorization", "Bearer "+tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomList: true}))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var rooms struct{ Rooms []struct{ Name string } }
	unmarshal(t, text, &rooms)
	require.Equal(t, []struct{ Name string }{{"daily"}}, rooms.Rooms)
}

func TestTheRootAnswersAsLiveKitsDoes(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	resp, err := http.Get(f.URL())
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "OK", string(text))
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestAHugeRequestIsRefused(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	token := "Bearer " + tokenFor(t, apiKey, apiSecret, &auth.VideoGrant{RoomRecord: true})
	status, _, _ := f.call("Egress/StopEgress", "", token, `{"egress_id":"`+strings.Repeat("x", 5<<20)+`"}`)
	require.GreaterOrEqual(t, status, 400)
}

func TestCallsAreCountedByMethod(t *testing.T) {
	t.Parallel()
	f := start(t, nil)
	f.room("daily", fakelivekit.RoomScript{})
	f.record("daily")
	for range 3 {
		_, err := f.egress.ListEgress(t.Context(), &livekit.ListEgressRequest{})
		require.NoError(t, err)
	}
	calls := f.Calls()
	require.Equal(t, 3, calls["ListEgress"])
	require.Equal(t, 1, calls["StartParticipantEgress"])
	require.Zero(t, calls["StopEgress"])
}
