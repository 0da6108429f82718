// Package reallivekit runs a real livekit-server for tests, built unmodified from its module, with what it needs around it:
// miniredis in place of redis, people who join rooms with a microphone and a camera, and a double of the egress worker, which
// can be steered. All of these are processes, so that each can be killed. Their source is the nested module e2e/livekit,
// since livekit-server does not go together with what Reelkeeper is built from.
//
// The API, the store, the webhooks and the rooms are LiveKit's own. What the worker tells is the double's: it is held to what
// was recorded from the real one by the tests of this package.
//
// It serves on loopback only, and it is for tests alone.
package reallivekit
