// Package redisqueue holds every Redis key of redpoll and every move of a
// check between them: one verb, one Go file, and one Lua script where the move
// must be atomic. The scripts decide by the server's clock and by the run
// record in the hash `runs`; they may be repeated at any time, and they read
// neither specs nor JSON.
//
// Keys, with the prefix redpoll and a lane zone:partition as hash tag:
//
//	redpoll:intake             STREAM  requests; group schedulers
//	redpoll:intake:log         STREAM  verdicts: entry, zone, id, op, verdict, reason
//	redpoll:intake:lock        STRING  the scheduler that applies the intake
//	redpoll:zones              HASH    zone -> "version partitions"; zone/lanes -> lanes in which checks may be
//	redpoll:workers            HASH    worker -> heartbeat, JSON
//	redpoll:downtimes          HASH    downtime id -> JSON
//	redpoll:meta               HASH    schema -> 1, or 2
//	redpoll:{zone:0}:specs     HASH    check id -> spec, JSON: the registry
//	redpoll:{zone:0}:due       ZSET    check id -> due time, unix ms: waiting checks
//	redpoll:{zone:0}:ready     STREAM  {id, due}; group workers: queued and running checks
//	redpoll:{zone:0}:runs      HASH    check id -> run record: the arbiter, see lua/prelude.lua
//	redpoll:{zone:0}:last      HASH    check id -> last record, JSON
//	redpoll:{zone:0}:incidents HASH    incident id -> JSON, and <id>/ack, <id>/<handler> beside it
//	redpoll:{zone:0}:results   STREAM  {event}: every committed result, about 100,000 kept
//	redpoll:{zone:0}:changes   STREAM  {event}, or {event, for}: changes of incidents, about 100,000 kept; a group for each handler
//	redpoll:{zone:0}:readers   HASH    handler -> how many changes were read for it, or missed: it has had a group
//	redpoll:{zone:0}:deliver:H STRING  the worker that delivers changes for handler H
//	redpoll:{zone:0}:dead      STREAM  {event, handler, reason, attempts, at, entry}: changes that were given up, about 10,000 kept
//
// A runnable check is in exactly one place: in due; in ready, not delivered;
// or in ready, pending. Its run record says which, and which stream entry is
// the current one.
package redisqueue
