// Package cluster runs the real binaries on a real Redis Cluster: partitions
// grow, checks move, a slot moves and primaries die while checks run. A large zone
// grows and shrinks on one server.
package cluster
