package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// record is an append-only log, one JSON object per line, each in one write: a kill leaves at most
// a torn last line, which the next opening removes.
type record struct {
	mu   sync.Mutex
	file *os.File
}

func openRecord(dir, name string) (*record, error) {
	path := filepath.Join(dir, name)
	if err := mend(path); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &record{file: file}, nil
}

// mend removes a torn last line.
func mend(path string) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Truncate(path, int64(bytes.LastIndexByte(data, '\n')+1))
}

// add appends a line. What cannot be logged did not happen: the caller stops.
func (r *record) add(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err = r.file.Write(append(text, '\n'))
	return err
}

func (r *record) close() error { return r.file.Close() }
