// Package system tests redpoll as its users run it: the real binaries, each a
// process of its own, against a real redis-server with an append-only file,
// driven by redis-cli, the redpoll CLI and signals.
//
// The checks connect to a target that the test itself serves. It notes every
// arrival, so what ran twice and what did not run is counted from outside and
// compared with what redpoll says in its results.
//
//	go test ./test/system                    all scenarios, about two minutes
//	go test ./test/system -system.long       chaos phases ten times as long
//	go test ./test/system -system.slack 5s   for machines that are very busy
//	go test ./test/system -system.race       binaries with the race detector
//
// Every scenario ends the same way: all checks go on, `redpoll verify` finds
// nothing wrong, workers drain and exit with 0, and then the books must agree:
// planned times rise and stay on their grid, nothing ran early, nothing was
// away for longer than the scenario allows, and no more runs than it allows
// left no result.
package system
