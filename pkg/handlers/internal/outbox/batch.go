package outbox

// Batch is some entries in their order. It must not be changed, and not be used
// when Send has returned.
type Batch struct {
	text  []byte // the pile's
	marks []mark // the batch's
	start int    // where its first entry begins in text
}

// Len is the number of entries.
func (b Batch) Len() int { return len(b.marks) }

// Text is all entries, one behind the other.
func (b Batch) Text() []byte {
	if len(b.marks) == 0 {
		return nil
	}
	return b.text[b.start:b.marks[len(b.marks)-1].end]
}

// Values is the number of values in all entries.
func (b Batch) Values() (n int) {
	for _, m := range b.marks {
		n += m.values
	}
	return n
}

// Entry is the entry at i and the number of its values.
func (b Batch) Entry(i int) (text []byte, values int) {
	return b.text[b.begin(i):b.marks[i].end], b.marks[i].values
}

// Slice is the entries from i to j, without j.
func (b Batch) Slice(i, j int) Batch {
	return Batch{b.text, b.marks[i:j], b.begin(i)}
}

// begin is where the entry at i begins.
func (b Batch) begin(i int) int {
	if i == 0 {
		return b.start
	}
	return b.marks[i-1].end
}
