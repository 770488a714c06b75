// Package script tests each command as an operator meets it: a script for each,
// named after it, in which redis-cli adds a check of a small target with flat
// fields, the scheduler and a worker run as processes of their own, and the
// result appears in Redis.
package script
