// Package fakelivekit is a test double of livekit-server and its egress workers, behind LiveKit's own wire protocols: the
// Twirp services livekit.Egress and livekit.RoomService, LiveKit's tokens, and webhooks sent by LiveKit's own notifier.
// Its answers, their timing and their order were recorded from real servers; the recordings that it must match are in testdata.
//
// It serves the demo and end-to-end tests, and teaches what goes wrong with egress: see [Faults].
//
// A room lives from CreateRoom or [Server.AddRoom] until DeleteRoom, [Server.EndCall], or the end of the call that its
// [RoomScript] gives it. People join at once. Its egresses go through the recorded states at the recorded times, scaled by
// [Config.Timings]; [Server.Egresses] has the truth about each, whatever the API says.
//
// The e2e tests also compare it with a real livekit-server, field by field. Where it differs, and why:
//   - It is built with protocol 1.50.4. Webhooks lack newer fields: room_finished has no roomEndReason, and the User-Agent is
//     Go's, not LiveKit. A session token without an assumed role is left out of the echo instead of being redacted.
//   - Events that a real server delayed by some milliseconds, such as the tracks of somebody who joins, come at once.
//   - What became due while no server ran is never reported. A real worker would sometimes report it later.
//   - A room's own empty and departure timeouts are shown, but Timings decides.
//   - The wording of resource_exhausted, of a 5xx, and of updates to an ended egress was never recorded.
//   - Codecs are not checked: requests that LiveKit refuses for a missing codec are accepted.
//
// It must never be mistaken for a server: it records nothing, carries no media, and serves on loopback addresses only. It
// must not know anything of Reelkeeper, and nothing but mains and tests may import it.
package fakelivekit
