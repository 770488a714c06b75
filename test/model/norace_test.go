//go:build !race

package model_test

// steps is how many steps each seed takes.
const steps = 10_000
