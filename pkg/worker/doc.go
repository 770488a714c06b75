// Package worker runs checks: it takes due checks from a queue, runs their
// commands, passes the results through handlers and puts the checks back.
//
// It is made to be built into a program with commands and handlers of its own;
// see the example. New makes a Worker of a Config, Run works until its context
// ends:
//
//   - A slot is taken before a lease: a worker never holds more checks than it
//     can run at once.
//   - Entries are read, leased, renewed and completed in batches; a completion
//     waits for company for at most 2 ms, and not at all when nothing else runs.
//   - A command runs under the timeout of its check. One that does not obey is
//     given up shortly after: its check goes on as UNKNOWN, CMD_TIMEOUT, and
//     its slot counts as stuck until it returns.
//   - A run whose lease is lost changes nothing: neither handlers nor the queue
//     see its result.
//   - When the context ends nothing new begins. What runs may end within
//     Config.Grace; the rest is cut off and handed back to the queue, and Run
//     returns nil.
//   - Handlers that take changes of incidents read them from the queue's stream:
//     at least once, in order per check, one worker of the fleet for each lane.
//   - The queue being away ends nothing: results wait for it, within bounds.
//
// The worker's clock only measures durations. Points in time are the queue's.
package worker
