package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/livekit/protocol/livekit"

	"github.com/reelkeeper/reelkeeper/egress"
)

// planned is one recording of a demo.
type planned struct {
	id      string
	room    string // empty for a web egress
	call    time.Duration
	request egress.Request
}

func (p planned) name() string { return cmp.Or(p.room, p.id) }

// plan creates the recordings of a demo, all kinds in turn. The same seed gives the same plan.
func (d *demo) plan() []planned {
	random := rand.New(rand.NewPCG(d.seed, 0))
	plans := make([]planned, d.egresses)
	for n := range plans {
		p := planned{id: fmt.Sprintf("demo-%d-%d", d.seed, n+1), room: fmt.Sprintf("call-%d", n+1)}
		p.call = shortestCall + time.Duration(random.Int64N(int64(longestCall-shortestCall)))
		kinds := requests(p.room)
		if p.request = kinds[n%len(kinds)]; egress.Summarize(p.request).Room == "" {
			p.room = ""
		}
		plans[n] = p
	}
	return plans
}

func requests(room string) []egress.Request {
	files := []*livekit.EncodedFileOutput{{FileType: livekit.EncodedFileType_MP4, Filepath: room + "-{time}.mp4"}}
	return []egress.Request{
		&livekit.RoomCompositeEgressRequest{RoomName: room, Layout: "speaker", FileOutputs: files},
		&livekit.ParticipantEgressRequest{RoomName: room, Identity: "alice", FileOutputs: files},
		&livekit.StartEgressRequest{
			RoomName: room,
			Source:   &livekit.StartEgressRequest_Template{Template: &livekit.TemplateSource{Layout: "grid"}},
			Outputs:  []*livekit.Output{{Config: &livekit.Output_File{File: &livekit.FileOutput{Filepath: room + ".mp4"}}}},
		},
		&livekit.WebEgressRequest{Url: "https://example.com/" + room, FileOutputs: files},
	}
}
