// Package fakelivekit is a test double of livekit-server and its egress workers, behind LiveKit's own wire protocols: the
// Twirp services livekit.Egress and livekit.RoomService, LiveKit's tokens, and webhooks sent by LiveKit's own notifier. What
// it says, when and in which order was recorded from real servers; the recordings it is held to are in testdata.
//
// It is there for the demo, for end-to-end tests, and to teach what goes wrong with egress: see [Faults].
//
// A room lives from CreateRoom or [Server.AddRoom] until DeleteRoom, [Server.EndCall], or the end of the call that its
// [RoomScript] gives it. People join at once. Egresses of it go through the recorded states at the recorded times, scaled by
// [Config.Timings]; [Server.Egresses] has the truth about each, whatever the API says of it.
//
// The e2e tests hold it to a real livekit-server, too, field by field. Where it is not like the real thing, and why:
//   - It is built with protocol 1.50.4. Webhooks lack what is newer: room_finished has no roomEndReason, and the User-Agent is
//     Go's, not LiveKit. A session token that is not an assumed role's is left out of the echo instead of being redacted.
//   - Events that a real server delayed by some milliseconds, such as the tracks of somebody who joins, come at once.
//   - What became due while no server ran is told to nobody. A real worker would sometimes tell later.
//   - A room's own empty and departure timeouts are shown, but Timings has them.
//   - The wording of resource_exhausted, of a 5xx, and of updates to an ended egress was never recorded.
//   - Codecs are not checked: what LiveKit refuses for want of one is accepted.
//
// It must never be mistaken for a server: it records nothing, carries no media, and serves on loopback addresses only. It
// must not know anything of Reelkeeper, and nothing but mains and tests may import it.
package fakelivekit
