//go:build !race

package crash_test

// rounds is how often each point is tried.
const rounds = 4
