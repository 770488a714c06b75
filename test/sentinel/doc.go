// Package sentinel holds a test that runs the real binaries on a Redis that
// sentinels watch over: its primary dies while checks run and requests come.
package sentinel
