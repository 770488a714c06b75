// Package model holds a test that makes random moves on a real Redis and
// compares what stands there with a model after every step.
package model
