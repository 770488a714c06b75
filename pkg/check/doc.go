// Package check holds redpoll's words and its pure rules: what a Check, a
// Result, an Incident and a Schedule are, and how one follows from another.
// It imports the standard library only, reads no clock and does no I/O (but
// for the time zones that cron expressions name).
//
// The rules, each a function of its arguments alone:
//
//   - Parse and ParseRequest read what operators write; Check.Text and Flat
//     are their reverse. Every fault is a FieldError that names its field.
//   - Check.Schedule makes a Schedule: Every, Cron or At. First, NextDue, Skip
//     and Quarantine say when a check is due.
//   - Advance is the incident rule.
//   - Rule, Limits and Grade turn measured values into a State; Result.Clean
//     makes a Result fit to be stored and shown.
//   - Decode reads params; Typed and TypedHandler make factories of
//     constructors with it.
//   - Partition places a check in its zone.
package check
