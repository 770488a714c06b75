// Package canary tests that secrets stay secret: the secrets of a worker are
// words that occur nowhere else, checks send them to targets that fail, lie
// and say back what they were told, and then none of the words may be found in
// a log, on a metrics page, in any key of Redis or in what redpoll prints.
// Targets that are not in a secret's list must not see it at all.
package canary
