package check

// Output is a Handler that keeps what it sends in a bounded buffer, so that
// Process never waits for the network. Stats shows how far it is behind. It is
// called at any time, from any goroutine.
type Output interface {
	Handler
	Stats() OutputStats
}

// OutputStats are the figures of an Output. All of them count values: one
// metric of one result is one value, and so is a state that goes with them.
type OutputStats struct {
	// Queued is how many wait or are on their way; Capacity is how many may.
	Queued, Capacity int
	// Sent were taken over by the target, as far as its protocol tells.
	Sent uint64
	// Dropped found no place in the buffer, or did not fit into the protocol.
	Dropped uint64
	// Failed were refused by the target, or given up when the worker stopped.
	Failed uint64
	// Retries counts batches that were sent once more.
	Retries uint64
}
