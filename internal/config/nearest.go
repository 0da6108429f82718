package config

import (
	"slices"
	"strings"
)

// nearest is the variable with the fewest edits from what was typed; the prefix is in
// most of them, and says nothing. What is itself but for a _FILE is that, without the file.
func nearest(typed string, names []string) string {
	if base := strings.TrimSuffix(typed, fileSuffix); slices.Contains(names, base) {
		return base
	}
	var bare []string
	for _, name := range names {
		bare = append(bare, strings.TrimPrefix(name, prefix))
	}
	if near := Nearest(strings.TrimPrefix(typed, prefix), bare); near != "" {
		return names[slices.Index(bare, near)]
	}
	return ""
}

// Nearest is the name with the fewest edits from what was typed, or empty where even
// that one would need as many as half of its letters.
func Nearest(typed string, names []string) string {
	best, least := "", 0
	for _, name := range names {
		d := edits(typed, name)
		if d <= len(name)/2 && (best == "" || d < least) {
			best, least = name, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two names.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
