package check

import "strings"

// Nearest gives the known name that is most like name, for "did you mean";
// empty when none is near. Near is up to two letters off, one in short names and a
// third of long ones, without regard to case.
func Nearest(name string, known []string) string {
	best, nearest := max(2, len(name)/3), ""
	if len(name) > 64 {
		return ""
	}
	if len(name) < 4 {
		best = 1
	}
	best++
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < best || d == best && nearest != "" && k < nearest {
			best, nearest = d, k
		}
	}
	return nearest
}

// distance counts the letters to insert, delete, change or swap with their
// neighbour to get from a to b.
func distance(a, b string) int {
	prev, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], prev[j-2]+1)
			}
		}
		prev, row, next = row, next, prev
	}
	return row[len(b)]
}
