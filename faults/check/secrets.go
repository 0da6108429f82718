package check

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Search looks for a canary, the beginning of every credential that agents sent, in
// all files under a folder: as it is, and as any base64 would have it. Each file that
// has it is one finding, with the place of the first. Files are searched as they are,
// so that nothing is missed for want of understanding them.
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

// hits is how often a canary is in data, and where it is first.
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

// forms are the canary as it is, and the part of it that is the same in every base64
// text with the canary in it, for each of the three places at which it can begin.
func forms(canary string) [][]byte {
	all := [][]byte{[]byte(canary)}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + canary))
		text = strings.TrimRight(text, "=")
		head := []int{0, 2, 3}[shift] // letters that the bytes before the canary have a part in
		whole := (shift + len(canary)) * 8 / 6
		if f := []byte(text[head:whole]); len(f) > 0 && !slices.ContainsFunc(all, func(g []byte) bool { return bytes.Equal(f, g) }) {
			all = append(all, f)
		}
	}
	return all
}
