package model_test

// move is something that can happen, and how often it does.
type move struct {
	name   string
	weight int
	do     func(*world)
}

// quiet are the moves that redpoll itself makes, damage what hands and lost
// keys do to it.
var (
	quiet = []move{
		{"add", 8, (*world).add},
		{"pause", 3, (*world).pause},
		{"remove", 2, (*world).remove},
		{"older", 4, (*world).older},
		{"conflict", 1, (*world).conflict},
		{"run", 8, (*world).runNow},
		{"dispatch", 20, (*world).dispatch},
		{"read", 20, (*world).readSome},
		{"lease", 20, (*world).leaseSome},
		{"lease again", 4, (*world).leaseAgain},
		{"renew", 5, (*world).renew},
		{"complete", 24, (*world).completeSome},
		{"stale", 5, (*world).completeStale},
		{"release", 3, (*world).release},
		{"release read", 2, (*world).releaseRead},
		{"expire", 4, (*world).expire},
		{"forget", 2, (*world).forget},
		{"reclaim", 6, (*world).reclaim},
		{"repair", 6, (*world).repair},
	}
	damage = []move{
		{"hand spec", 4, (*world).handSpec},
		{"hand drop", 3, (*world).handDrop},
		{"hand score", 8, (*world).handScore},
		{"hand junk", 3, (*world).handJunk},
		{"lose record", 2, (*world).loseRecord},
		{"lose key", 2, (*world).loseKey},
		{"lose pending", 3, (*world).losePending},
	}
	moves = append(append([]move{}, quiet...), damage...)
)
