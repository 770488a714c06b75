// Package check holds redpoll's words and its pure rules: what a Check, a
// Result, an Incident and a Schedule are, and how one follows from another.
// It imports the standard library only, reads no clock and does no I/O.
package check
