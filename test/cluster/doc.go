// Package cluster holds a test that runs the real binaries on a real Redis
// Cluster: partitions grow, checks move, a slot moves and a primary dies while
// checks run.
package cluster
