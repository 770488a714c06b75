package worker

import (
	"context"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// newsCompany is how long news wait for more of them.
	newsCompany = 20 * time.Millisecond
	// apartEvery is the pace of looks where one call cannot wait for all lanes.
	apartEvery = 500 * time.Millisecond
)

// newsdesk tells feeds that there is something to read: one call to the queue
// waits for all lanes.
type newsdesk struct {
	mu    sync.Mutex // guards feeds
	feeds map[check.Lane][]*feed
}

func (n *newsdesk) init() { n.feeds = map[check.Lane][]*feed{} }

func (n *newsdesk) join(f *feed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.feeds[f.hold.Lane] = append(n.feeds[f.hold.Lane], f)
}

func (n *newsdesk) leave(f *feed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var rest []*feed
	for _, o := range n.feeds[f.hold.Lane] {
		if o != f {
			rest = append(rest, o)
		}
	}
	if n.feeds[f.hold.Lane] = rest; rest == nil {
		delete(n.feeds, f.hold.Lane)
	}
}

// wanted brings from up to date: it holds the lanes where a feed has room.
func (n *newsdesk) wanted(from map[check.Lane]string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for lane := range from {
		if !anyRoom(n.feeds[lane]) {
			delete(from, lane)
		}
	}
	for lane, feeds := range n.feeds {
		if _, ok := from[lane]; !ok && anyRoom(feeds) {
			from[lane] = "" // whatever is there is news
		}
	}
}

func anyRoom(feeds []*feed) bool {
	for _, f := range feeds {
		if f.room() > 0 {
			return true
		}
	}
	return false
}

// tell wakes the feeds of lanes.
func (n *newsdesk) tell(lanes []check.Lane) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, lane := range lanes {
		for _, f := range n.feeds[lane] {
			f.mu.Lock()
			f.news = true
			f.mu.Unlock()
			f.call()
		}
	}
}

// watchNews tells feeds of news until ctx ends.
func (d *deliverer) watchNews(ctx context.Context, p phases) {
	from := map[check.Lane]string{}
	wait := block
	if d.w.cfg.ReadApart {
		wait = 0
	}
	for attempt := 1; ctx.Err() == nil; {
		d.news.wanted(from)
		if len(from) == 0 {
			pause(ctx, apartEvery)
			continue
		}
		// Not under ctx: a cancelled one does not interrupt the wait.
		lanes, err := d.out.News(p.queue, from, wait)
		d.news.tell(lanes)
		switch {
		case err != nil:
			d.w.away.failed(ctx, "wait for changes", err, attempt)
			attempt++
			continue
		case d.w.cfg.ReadApart:
			pause(ctx, jitter(apartEvery))
		case len(lanes) > 0:
			pause(ctx, newsCompany)
		}
		attempt = 1
		d.w.away.passed("wait for changes")
	}
}
