package check

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Search looks in all files under a folder for a canary, the beginning of every credential that
// agents sent: as it is, and in any base64 form. Each file that contains it is one finding, with
// the first position. Files are searched as raw bytes, so that nothing is missed for lack of a
// parser.
func Search(dir, canary string) ([]Finding, error) {
	var findings []Finding
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n, at := hits(data, canary); n > 0 {
			name, _ := filepath.Rel(dir, path)
			findings = append(findings, Finding{Kind: KindSecret, Words: fmt.Sprintf("%d credentials in %s, the first at byte %d", n, name, at)})
		}
		return nil
	})
	return findings, err
}

// SearchTold looks for a canary in the requests to a path of the consumer, where LiveKit itself
// sends nothing. Each request that contains it is one finding.
func SearchTold(log []Request, path, canary string) (findings []Finding) {
	for _, r := range log {
		if n, _ := hits([]byte(fmt.Sprint(r.Header, r.Body)), canary); n > 0 && r.Path == path {
			findings = append(findings, Finding{Kind: KindSecret, Words: fmt.Sprintf("%d credentials in a request to the consumer at %s", n, path)})
		}
	}
	return findings
}

// hits returns how often a canary is in data, and where it is first.
func hits(data []byte, canary string) (n, first int) {
	first = len(data)
	for _, form := range forms(canary) {
		if i := bytes.Index(data, form); i >= 0 {
			n += bytes.Count(data, form)
			first = min(first, i)
		}
	}
	return n, first
}

// forms returns the canary itself, and the part of it that is the same in every base64 text that
// contains it, for each of the three offsets at which it can begin.
func forms(canary string) [][]byte {
	all := [][]byte{[]byte(canary)}
	for shift, head := range []int{0, 2, 3} { // letters that also depend on the bytes before the canary
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		all = append(all, []byte(text[head:(shift+len(canary))*8/6]))
	}
	return all
}
