//go:build race

package crash_test

// rounds is how often each point is tried: the race detector is slow.
const rounds = 1
