package config

// nearest is the name with the fewest edits from what was typed, or empty where
// even that one would need as many as half of its letters behind the prefix.
func nearest(typed string, names []string) string {
	best, least := "", 0
	for _, name := range names {
		d := edits(typed, name)
		if d <= (len(name)-len(prefix))/2 && (best == "" || d < least) {
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
