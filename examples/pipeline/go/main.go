// Command go is a worker whose activity is a step of a pipeline: it keeps an index of
// recordings, one file for each, exactly once.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

// StepInput is what this step needs of what it is given. docs/pipelines.md has all of it.
type StepInput struct {
	RequestID      string `json:"request_id"`
	IdempotencyKey string `json:"idempotency_key"`
	Verdict        struct {
		Status  string `json:"status"`
		Room    string `json:"room"`
		EndedAt string `json:"ended_at"`
	} `json:"verdict"`
	Files []File `json:"files"` // of all parts of the recording
}

// File is one file, playlist, or set of segments or images that was looked for in the store.
type File struct {
	Part  int    `json:"part"` // counted from 1
	Kind  string `json:"kind"`
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Media string `json:"media"` // whether it is there
}

// Entry is one recording in the index. Attempt says which one wrote it.
type Entry struct {
	RequestID string `json:"request_id"`
	Room      string `json:"room"`
	Status    string `json:"status"`
	EndedAt   string `json:"ended_at"`
	Attempt   int32  `json:"attempt"`
	Files     []File `json:"files,omitempty"`
}

// Result is what the steps behind this one see. It must be small, so its entry is without files.
type Result struct {
	File  string `json:"file"`
	Entry Entry  `json:"entry"`
}

// Index writes a recording's entry. Its file is named by the idempotency key, which is
// the same for all attempts, and is never written over: so an attempt that comes after a
// worker died finds what an earlier one did.
func Index(ctx context.Context, in StepInput) (Result, error) {
	dir := os.Getenv("INDEX_DIR")
	if dir == "" {
		return Result{}, temporal.NewNonRetryableApplicationError("INDEX_DIR is not set", "Settings", nil)
	}
	r := Result{File: filepath.Join(dir, in.IdempotencyKey+".json"), Entry: Entry{
		RequestID: in.RequestID, Room: in.Verdict.Room, Status: in.Verdict.Status, EndedAt: in.Verdict.EndedAt,
		Attempt: activity.GetInfo(ctx).Attempt, Files: in.Files,
	}}
	b, err := json.Marshal(r.Entry)
	if err != nil {
		return Result{}, err
	}
	draft, err := os.CreateTemp(dir, in.IdempotencyKey+".*.draft") // of a name that no attempt had: it becomes the entry
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // a draft that stays harms nobody
	if _, err := draft.Write(b); err != nil {
		return Result{}, err
	}
	if err := draft.Close(); err != nil {
		return Result{}, err
	}
	if err := os.Link(draft.Name(), r.File); err != nil && !os.IsExist(err) { // Link fails where the file is there
		return Result{}, err
	}
	if b, err = os.ReadFile(r.File); err != nil {
		return Result{}, err
	}
	err = json.Unmarshal(b, &r.Entry)
	r.Entry.Files = nil
	return r, err
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// run works for the task queue that pipelines.yaml names. TEMPORAL_ADDRESS,
// TEMPORAL_NAMESPACE and all other variables of Temporal's SDK say where.
func run() error {
	opts, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	c, err := client.Dial(opts)
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, "index", worker.Options{})
	w.RegisterActivity(Index)
	return w.Run(worker.InterruptCh())
}
