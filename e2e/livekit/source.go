package main

import (
	"slices"

	"github.com/livekit/protocol/egress"
	lksdk "github.com/livekit/server-sdk-go/v2"
)

// join makes the egress join its room as a hidden participant whose identity is its ID. A web egress has no room.
func (r *run) join() error {
	if r.web {
		return nil
	}
	token, err := egress.BuildEgressToken(r.info.EgressId, r.key, r.secret, r.info.RoomName)
	if err != nil {
		return err
	}
	r.room, err = lksdk.ConnectToRoomWithToken(r.url, token, nil, lksdk.WithAutoSubscribe(false))
	return err
}

func (r *run) leave() {
	if r.room != nil {
		r.room.Disconnect()
	}
}

// present reports whether the source to be recorded is there.
func (r *run) present() bool {
	switch {
	case r.web:
		return true
	case r.identity != "":
		return r.room.GetParticipantByIdentity(r.identity) != nil
	case r.template:
		return len(r.room.GetRemoteParticipants()) > 0
	}
	return !slices.ContainsFunc(r.tracks, func(id string) bool { return id != "" && !r.published(id) })
}

// gone reports whether the recorded source is no longer there. A composite of a room lasts as long as
// the room.
func (r *run) gone() bool {
	switch {
	case r.web:
		return false
	case r.room.ConnectionState() == lksdk.ConnectionStateDisconnected:
		return true
	case r.began.IsZero() || r.template:
		return false
	case r.identity != "":
		return !r.present()
	}
	return !slices.ContainsFunc(r.tracks, r.published)
}

// missing names what a worker waits for in vain, in its words. It waits indefinitely for people in a
// template's room.
func (r *run) missing() string {
	if r.identity != "" {
		return "participant " + r.identity
	}
	for _, id := range r.tracks {
		if id != "" && !r.published(id) {
			return "track " + id
		}
	}
	return ""
}

func (r *run) published(track string) bool { return r.owner(track) != "" }

// owner returns who publishes a track.
func (r *run) owner(track string) string {
	for _, p := range r.room.GetRemoteParticipants() {
		for _, t := range p.TrackPublications() {
			if t.SID() == track {
				return p.Identity()
			}
		}
	}
	return ""
}

// publisher returns the participant after whom the file is named, if any.
func (r *run) publisher() string { return r.identity }
