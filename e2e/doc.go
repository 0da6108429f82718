// Package e2e shows whole lives: what ships, in process, between a real Temporal
// server and the fake LiveKit, over real HTTP. Its tests follow a timeline: what
// happens when, and what must be so by when at the latest.
package e2e
