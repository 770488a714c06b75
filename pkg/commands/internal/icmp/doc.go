// Package icmp sends ICMP echo requests for all runs of a process through one
// socket per address family.
//
// An Engine has a lane for IPv4 and one for IPv6. A lane is one goroutine that
// owns its socket and all state; it lives while there are runs, and Ping hands
// runs to it and waits. Design decisions, and what they guard against:
//
//   - Unprivileged datagram sockets come first, raw ones are the fallback. The
//     kernel rewrites the id on datagram sockets and every raw socket sees
//     every reply, so the id proves nothing: a reply is ours when it carries
//     the 64-bit token of a packet that we sent to that address.
//   - Send and receive times are the kernel's. A round trip is not longer
//     because this process was busy, and neither is a packet lost: what the
//     socket holds at the deadline is read before anything is given up, and a
//     reply counts by the time of its arrival.
//   - A full receive buffer is noticed (the kernel counts what it drops): then
//     nothing is known about the missing replies, and their packets are sent
//     again instead of being reported lost.
//   - Packets leave in batches of at most batchSize and at most paceRate per
//     millisecond, so that a thousand runs that start at once are no burst.
package icmp
