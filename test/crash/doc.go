// Package crash holds tests that end workers and schedulers at every point
// of their work, also while checks move between lanes, and look for checks that were lost or ran too often.
package crash
