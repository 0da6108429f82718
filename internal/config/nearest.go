package config

import (
	"slices"
	"strings"
)

// nearestVariable returns the variable with the fewest edits from what was typed; it ignores the
// prefix, which most of them share. A name that differs only by a _FILE suffix yields the name without it.
func nearestVariable(typed string, names []string) string {
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

// Nearest returns the name with the fewest edits from what was typed, or "" if even that one
// differs in half of its letters or more.
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

// edits returns the Levenshtein distance of two names.
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
