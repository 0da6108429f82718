package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// store writes the file and its manifest, and records both in the result.
func (r *run) store(at time.Time) error {
	r.file.EndedAt, r.file.Duration = at.UnixNano(), at.UnixNano()-r.file.StartedAt
	if err := r.unstorable(); err != nil {
		return err
	}
	size, err := writeMedia(r.file.Filename, time.Duration(r.file.Duration))
	if err != nil {
		return err
	}
	r.file.Size, r.file.Location = size, r.file.Filename
	if !r.manifest {
		return nil
	}
	r.info.ManifestLocation = path.Join(path.Dir(r.file.Filename), r.info.EgressId+".json")
	text, err := protojson.Marshal(r.info)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.FromSlash(r.info.ManifestLocation), text, 0o644)
}

// unstorable is the real worker's error for it.
func (r *run) unstorable() error {
	s3 := r.upload != nil && r.upload.GetS3() != nil
	switch {
	case r.Fate == unstored && s3:
		return errors.New("S3 upload failed: err: operation error S3: PutObject, https response error StatusCode: 403, RequestID: , HostID: , " +
			"api error InvalidAccessKeyId: The AWS Access Key Id you provided does not exist in our records., status code: 403")
	case r.Fate == unstored:
		return fmt.Errorf("Local upload failed: open %s: permission denied", r.file.Filename)
	case s3, r.upload != nil && (r.upload.GetGcp() != nil || r.upload.GetAzure() != nil || r.upload.GetAliOSS() != nil):
		return errors.New("this worker double stores on its own disk only")
	}
	return nil
}
