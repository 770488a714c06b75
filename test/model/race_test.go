//go:build race

package model_test

// steps is how many steps each seed takes: the race detector is slow.
const steps = 600
