package fakelivekit

import (
	"context"

	"github.com/twitchtv/twirp"

	"github.com/livekit/protocol/livekit"
)

// The rest of the room service, which no egress needs, says so.

// unimplemented is the answer of every method that is left out.
func unimplemented[T any](method string) (*T, error) { //nolint:unparam // the type makes it fit each method
	return nil, twirp.NewError(twirp.Unimplemented, method+" is not implemented by the fake")
}

// RemoveParticipant is unimplemented.
func (roomAPI) RemoveParticipant(context.Context, *livekit.RoomParticipantIdentity) (*livekit.RemoveParticipantResponse, error) {
	return unimplemented[livekit.RemoveParticipantResponse]("RemoveParticipant")
}

// MutePublishedTrack is unimplemented.
func (roomAPI) MutePublishedTrack(context.Context, *livekit.MuteRoomTrackRequest) (*livekit.MuteRoomTrackResponse, error) {
	return unimplemented[livekit.MuteRoomTrackResponse]("MutePublishedTrack")
}

// UpdateParticipant is unimplemented.
func (roomAPI) UpdateParticipant(context.Context, *livekit.UpdateParticipantRequest) (*livekit.ParticipantInfo, error) {
	return unimplemented[livekit.ParticipantInfo]("UpdateParticipant")
}

// UpdateSubscriptions is unimplemented.
func (roomAPI) UpdateSubscriptions(context.Context, *livekit.UpdateSubscriptionsRequest) (*livekit.UpdateSubscriptionsResponse, error) {
	return unimplemented[livekit.UpdateSubscriptionsResponse]("UpdateSubscriptions")
}

// SendData is unimplemented.
func (roomAPI) SendData(context.Context, *livekit.SendDataRequest) (*livekit.SendDataResponse, error) {
	return unimplemented[livekit.SendDataResponse]("SendData")
}

// UpdateRoomMetadata is unimplemented.
func (roomAPI) UpdateRoomMetadata(context.Context, *livekit.UpdateRoomMetadataRequest) (*livekit.Room, error) {
	return unimplemented[livekit.Room]("UpdateRoomMetadata")
}

// ForwardParticipant is unimplemented.
func (roomAPI) ForwardParticipant(context.Context, *livekit.ForwardParticipantRequest) (*livekit.ForwardParticipantResponse, error) {
	return unimplemented[livekit.ForwardParticipantResponse]("ForwardParticipant")
}

// MoveParticipant is unimplemented.
func (roomAPI) MoveParticipant(context.Context, *livekit.MoveParticipantRequest) (*livekit.MoveParticipantResponse, error) {
	return unimplemented[livekit.MoveParticipantResponse]("MoveParticipant")
}

// PerformRpc is unimplemented.
func (roomAPI) PerformRpc(context.Context, *livekit.PerformRpcRequest) (*livekit.PerformRpcResponse, error) {
	return unimplemented[livekit.PerformRpcResponse]("PerformRpc")
}
