// Package reallivekit runs a real livekit-server for tests, built unmodified from its module, with what it needs around it:
// miniredis in place of redis, people who join rooms with a microphone and a camera, and a steerable double of the egress
// worker. All of these are processes, so that each can be killed. Their source is the nested module e2e/livekit, since
// livekit-server's dependencies conflict with those of Reelkeeper.
//
// The API, the store, the webhooks and the rooms are LiveKit's own. What the worker reports comes from the double: the tests
// of this package compare it with recordings of the real one.
//
// It serves on loopback only, and is only for tests.
package reallivekit
