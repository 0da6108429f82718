package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/livekit/protocol/livekit"
)

// Kinds of request that a scenario can ask for.
const (
	kindRoomComposite  = "room_composite"
	kindParticipant    = "participant"
	kindTrackComposite = "track_composite"
	kindTrack          = "track"
	kindWeb            = "web"
	kindEgress         = "egress" // the unified start
)

var kinds = []string{kindRoomComposite, kindParticipant, kindTrackComposite, kindTrack, kindWeb, kindEgress}

// How a recording ends.
const (
	endCall   = "call"   // people leave
	endStop   = "stop"   // its agent stops it
	endDelete = "delete" // its agent deletes the room
)

// plan is one life before it begins: the same for the same seed and number.
type plan struct {
	n         int
	key       string // the agent's idempotency key
	kind      string
	subject   string // room or page
	call      time.Duration
	end       string
	forge     bool
	own       bool
	neighbour bool
	elsewhere bool
	store     string // its URL
	token     string // URL of our webhook, in a request that bypasses us
	canary    string // beginning of every credential of all lives of the run
}

// page reports whether it records a page, without a room.
func (p plan) page() bool { return p.kind == kindWeb }

// canaryOf returns the beginning of all credentials of a run.
func canaryOf(seed uint64) string { return fmt.Sprintf("RKcanary%dZ", seed) }

// planOf makes the plan of a life. Lives are numbered from 1.
func planOf(s scenario, seed uint64, n int) plan {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	p := plan{n: n, key: fmt.Sprintf("life-%d-%d", seed, n), subject: fmt.Sprintf("room-of-life-%d", n), canary: canaryOf(seed), end: endCall}
	p.kind = pick(s.Kinds, random)
	p.call = s.Call.From + time.Duration(random.Int64N(int64(s.Call.To-s.Call.From)+1))
	ending := random.Float64()
	p.forge, p.own, p.neighbour = random.Float64() < s.Forge, random.Float64() < s.OwnWebhook, random.Float64() < s.Neighbour
	p.elsewhere = random.Float64() < s.Elsewhere
	switch {
	case p.page():
		p.subject, p.end = fmt.Sprintf("https://pages.example.com/life-%d", n), endStop
	case ending < s.Stop:
		p.end = endStop
	case ending < s.Stop+s.DeleteRoom:
		p.end = endDelete
	}
	return p
}

// pick draws a kind by its weight.
func pick(weights map[string]int, random *rand.Rand) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(weights)) {
		all = append(all, slices.Repeat([]string{k}, weights[k])...)
	}
	return all[random.IntN(len(all))]
}

// secret returns a credential of the life.
func (p plan) secret(what string) string { return fmt.Sprintf("%s%s%d", p.canary, what, p.n) }

// s3 returns the store with every possible credential.
func (p plan) s3() *livekit.S3Upload {
	return &livekit.S3Upload{
		Bucket: bucket, Region: "eu-west-1", Endpoint: p.store, ForcePathStyle: true,
		AccessKey: p.secret("access"), Secret: p.secret("secret"), SessionToken: p.secret("session"),
		Proxy: &livekit.ProxyConfig{Url: p.store, Username: "recorder", Password: p.secret("proxy")},
	}
}

// ownPath returns the path of the request's own webhook, or "" if it names none. No other life has
// it.
func (p plan) ownPath() string {
	if !p.own {
		return ""
	}
	return fmt.Sprintf("/own/%d", p.n)
}

// hooks returns the request's own webhooks, at a consumer whose URL has a token. If the request
// bypasses us, ours comes before them.
func (p plan) hooks(consumer string) (hooks []*livekit.WebhookConfig) {
	if p.token != "" {
		hooks = append(hooks, &livekit.WebhookConfig{Url: p.token, SigningKey: apiKey})
	}
	if p.own {
		hooks = append(hooks, &livekit.WebhookConfig{Url: consumer + p.ownPath() + "?token=" + p.secret("hook"), SigningKey: apiKey})
	}
	return hooks
}

// files returns one MP4 in that store.
func (p plan) files() []*livekit.EncodedFileOutput {
	return []*livekit.EncodedFileOutput{{
		FileType: livekit.EncodedFileType_MP4, Filepath: fmt.Sprintf("life-%d-{time}.mp4", p.n),
		Output: &livekit.EncodedFileOutput_S3{S3: p.s3()},
	}}
}
