package fakes3

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// NewOver makes a store with a bucket that has the files of a folder, whoever puts them there. What
// is written through the store is in memory beside them. Lists do not name the files.
func NewOver(folder string, keys map[string]string, bucket string) (*Store, error) {
	s, err := New(keys, bucket)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("open the store's folder: %w", err)
	}
	s.api = gofakes3.New(files{s.backend, root}).Server()
	return s, nil
}

// files are the objects of a folder, and those in memory.
type files struct {
	*s3mem.Backend

	root *os.Root
}

// HeadObject is GetObject without a range: the content is not read.
func (f files) HeadObject(bucket, name string) (*gofakes3.Object, error) {
	return f.GetObject(bucket, name, nil)
}

// GetObject opens a file, or else an object in memory.
func (f files) GetObject(bucket, name string, asked *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	file, err := f.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Backend.GetObject(bucket, name, asked)
	}
	if err != nil {
		return nil, err
	}
	o, err := objectOf(file, name, asked)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return o, nil
}

func objectOf(file *os.File, name string, asked *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	part, err := asked.Range(info.Size())
	if err != nil {
		return nil, err
	}
	from, length := int64(0), info.Size()
	if part != nil {
		from, length = part.Start, part.Length
	}
	written := info.ModTime().UTC().Format(http.TimeFormat)
	return &gofakes3.Object{
		Name: name, Size: info.Size(), Range: part, Hash: []byte(written), Metadata: map[string]string{"Last-Modified": written},
		Contents: struct {
			io.Reader
			io.Closer
		}{io.NewSectionReader(file, from, length), file},
	}, nil
}
