// Package e2e tests whole lives: what ships, in process, between a real Temporal server and the
// fake LiveKit, over real HTTP. Its tests follow a timeline: what happens when, and by when
// something must be true.
package e2e
