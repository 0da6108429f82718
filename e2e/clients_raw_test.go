package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// rawAgent sends what no SDK would, but curl could.
func rawAgent(t *testing.T, url string) report {
	t.Helper()
	token := func(until time.Time) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": apiKey, "exp": until.Unix(), "video": everything(),
		}).SignedString([]byte(apiSecret))
		require.NoError(t, err)
		return text
	}
	good, expired := token(time.Now().Add(time.Hour)), token(time.Now().Add(-time.Hour))
	const (
		list   = "/twirp/livekit.Egress/ListEgress"
		web    = "/twirp/livekit.Egress/StartWebEgress"
		rooms  = "/twirp/livekit.RoomService/ListRooms"
		remove = "/twirp/livekit.RoomService/DeleteRoom"
		inJSON = "application/json"
		inPB   = "application/protobuf"
		start  = `{"url": "https://example.com", "file_outputs": [{"filepath": "x.mp4"}]}`
	)
	var r report
	for _, c := range []struct {
		name, method, path, auth, contentType, body string
	}{
		{"list", "POST", list, "Bearer " + good, inJSON, `{}`},
		{"list with a field in camelCase", "POST", list, "Bearer " + good, inJSON, `{"roomName": "nowhere"}`},
		{"list with an unknown field", "POST", list, "Bearer " + good, inJSON, `{"new": true}`},
		{"list with a content type that names its characters", "POST", list, "Bearer " + good, inJSON + "; charset=utf-8", `{}`},
		{"list with an empty body", "POST", list, "Bearer " + good, inJSON, ``},
		{"list with broken JSON", "POST", list, "Bearer " + good, inJSON, `{"egress_id": `},
		{"list with JSON of the wrong type", "POST", list, "Bearer " + good, inJSON, `{"egress_id": {}}`},
		{"list with broken protobuf", "POST", list, "Bearer " + good, inPB, "\x0a\xff"},
		{"list in XML", "POST", list, "Bearer " + good, "text/xml", `<list/>`},
		{"list by GET", "GET", list, "Bearer " + good, inJSON, ``},
		{"list without a token", "POST", list, "", inJSON, `{}`},
		{"list with a token that is none", "POST", list, "Bearer nonsense", inJSON, `{}`},
		{"list without Bearer", "POST", list, good, inJSON, `{}`},
		{"list with an expired token", "POST", list, "Bearer " + expired, inJSON, `{}`},
		{"list with the token in the query", "POST", list + "?access_token=" + good, "", inJSON, `{}`},
		{"start by hand without a token", "POST", web, "", inJSON, start},
		{"start by hand with broken JSON", "POST", web, "Bearer " + good, inJSON, `{`},
		{"start by hand with broken protobuf", "POST", web, "Bearer " + good, inPB, "\x0a\xff"},
		{"start by hand with an empty body", "POST", web, "Bearer " + good, inJSON, ``},
		{"start by hand with an expired token", "POST", web, "Bearer " + expired, inJSON, start},
		{"start by hand", "POST", web, "Bearer " + good, inJSON, start},
		{"start by hand with a field that is new", "POST", web, "Bearer " + good, inJSON, `{"url": "https://example.com", "new_field": {"a": 1}, "file_outputs": [{"filepath": "x.mp4"}]}`},
		{"start by hand with the token in the query", "POST", web + "?access_token=" + good, "", inJSON, start},
		{"an unknown method", "POST", "/twirp/livekit.Egress/Unknown", "Bearer " + good, inJSON, `{}`},
		{"an unknown service", "POST", "/twirp/livekit.Unknown/Unknown", "Bearer " + good, inJSON, `{}`},
		{"a service that is not the door's", "POST", rooms, "Bearer " + good, inJSON, `{"names": ["nowhere"]}`},
		{"the same without a token", "POST", rooms, "", inJSON, `{}`},
		{"the same with broken JSON", "POST", rooms, "Bearer " + good, inJSON, `{`},
		{"delete a room without a token", "POST", remove, "", inJSON, `{"room": "nowhere"}`},
		{"delete an unknown room", "POST", remove, "Bearer " + good, inJSON, `{"room": "nowhere"}`},
		{"delete a room with broken JSON", "POST", remove, "Bearer " + good, inJSON, `{`},
		{"the root", "GET", "/", "", "", ``},
		{"an unknown path", "GET", "/unknown", "", "", ``},
		{"the signalling path, where the fake has none", "GET", "/rtc/validate", "", "", ``},
		{"gzip: list", "POST", list, "Bearer " + good, inJSON, `{}`},
		{"gzip: start by hand in an unknown room", "POST", "/twirp/livekit.Egress/StartRoomCompositeEgress", "Bearer " + good, inJSON, `{"room_name": "nowhere"}`},
		{"gzip: delete an unknown room", "POST", remove, "Bearer " + good, inJSON, `{"room": "nowhere"}`},
	} {
		body := []byte(c.body)
		zipped := strings.HasPrefix(c.name, "gzip: ")
		if zipped {
			body = zip(t, body)
		}
		req, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, bytes.NewReader(body))
		require.NoError(t, err)
		for k, v := range map[string]string{"Authorization": c.auth, "Content-Type": c.contentType} {
			if v != "" {
				req.Header.Set(k, v)
			}
		}
		if zipped {
			req.Header.Set("Content-Encoding", "gzip")
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err, c.name)
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err, c.name)
		r = append(r, step{Name: c.name, OK: resp.StatusCode == http.StatusOK, Answer: map[string]any{
			"status": resp.StatusCode, "contentType": resp.Header.Get("Content-Type"),
			"requestID": resp.Header.Get("X-Reelkeeper-Request-Id") != "", "body": content(text),
		}})
	}
	return r
}

// content returns a body's fields if it is JSON, and otherwise its text.
func content(body []byte) any {
	if v, err := decode(body); err == nil {
		return v
	}
	return string(body)
}

func zip(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}
