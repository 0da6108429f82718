package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFrontLeadsToTheNextDoorThatTakesAConnection(t *testing.T) {
	t.Parallel()
	var doors []string
	var servers []*httptest.Server
	for _, name := range []string{"a", "b"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }))
		t.Cleanup(s.Close)
		servers, doors = append(servers, s), append(doors, s.Listener.Addr().String())
	}
	f, err := newFront(t.Context(), "127.0.0.1:0", doors)
	require.NoError(t, err)
	t.Cleanup(f.close)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func() string {
		res, err := client.Get("http://" + f.listener.Addr().String())
		if err != nil {
			return "cut"
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return string(body)
	}
	require.ElementsMatch(t, []string{"a", "b"}, []string{ask(), ask()})
	servers[0].Close()
	require.Equal(t, []string{"b", "b"}, []string{ask(), ask()})
	servers[1].Close()
	require.Equal(t, "cut", ask())
	f.close()
	_, err = net.Dial("tcp", f.listener.Addr().String())
	require.Error(t, err)
}

// A client whose door dies in the middle of an answer sees its connection end.
func TestAFrontPassesOnTheEndOfAConnection(t *testing.T) {
	t.Parallel()
	door, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = door.Close() })
	f, err := newFront(t.Context(), "127.0.0.1:0", []string{door.Addr().String()})
	require.NoError(t, err)
	t.Cleanup(f.close)
	client, err := net.Dial("tcp", f.listener.Addr().String())
	require.NoError(t, err)
	served, err := door.Accept()
	require.NoError(t, err)
	_, err = io.WriteString(served, "half")
	require.NoError(t, err)
	require.NoError(t, served.Close())
	all, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "half", string(all))
}
