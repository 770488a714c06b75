package redisqueue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	// reclaimPage is how many pending entries one look takes.
	reclaimPage = 500
	// maxLater bounds what one call puts off.
	maxLater = 500
)

// Reclaim looks through the entries of req.Lane that have been with some
// worker for longer than req.Lease and takes over, at most limit, those whose
// lease ran out or that were never leased: lease.lua decides by the run
// records, the pending list only says where to look. Entries that are gone or
// no longer current are cleared on the way. req.Entries is not read.
//
// Entries in later are of checks that cost two workers or more and for which
// req.Suspects left no room, 500 at most: Lease may be asked for each of them
// as soon as there is room, by any worker.
func (q *Queue) Reclaim(ctx context.Context, req check.LeaseRequest, limit int) (out []check.Lease, later []check.Entry, err error) {
	for from := "-"; len(out) < limit; {
		page, next, err := q.idlePage(ctx, req.Lane, from, req.Lease)
		if err != nil {
			return out, later, err
		}
		for len(page) > 0 && len(out) < limit {
			req.Entries = page[:min(len(page), limit-len(out))]
			req.Revs = nil
			page = page[len(req.Entries):]
			leases, again, err := q.Lease(ctx, req)
			if err != nil {
				return out, later, err
			}
			later = append(later, again[:min(len(again), maxLater-len(later))]...)
			for _, l := range leases {
				if l.Crashes >= 2 {
					req.Suspects = 0
				}
			}
			out = append(out, leases...)
		}
		if next == "" {
			return out, later, nil
		}
		from = next
	}
	return out, later, nil
}

// idlePage finds entries that have been pending for at least idle, or that
// seem to come from the future because the server's clock was set back. next
// is where to go on, empty at the end.
func (q *Queue) idlePage(ctx context.Context, lane check.Lane, from string, idle time.Duration) (entries []check.Entry, next string, err error) {
	key := q.KeyReady(lane)
	now, err := q.Now(ctx)
	if err != nil {
		return nil, "", err
	}
	page, err := q.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: key, Group: GroupWorkers, Start: from, End: "+", Count: reclaimPage,
	}).Result()
	if isNoGroup(err) {
		return nil, "", nil // a read makes the group
	}
	if err != nil {
		return nil, "", fmt.Errorf("pending entries of %s: %w", key, err)
	}
	var sids []string
	for _, p := range page {
		if p.Idle >= idle || sidTime(p.ID) > now+1000 {
			sids = append(sids, p.ID)
		}
	}
	if len(page) == reclaimPage {
		next = "(" + page[len(page)-1].ID
	}
	entries, err = q.entries(ctx, lane, sids)
	return entries, next, err
}

// entries reads stream entries by id and acknowledges those that are gone.
func (q *Queue) entries(ctx context.Context, lane check.Lane, sids []string) ([]check.Entry, error) {
	if len(sids) == 0 {
		return nil, nil
	}
	key := q.KeyReady(lane)
	pipe := q.client.Pipeline()
	cmds := make([]*redis.XMessageSliceCmd, len(sids))
	for i, sid := range sids {
		cmds[i] = pipe.XRange(ctx, key, sid, sid)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read entries of %s: %w", key, err)
	}
	var found []check.Entry
	var gone []string
	for i, cmd := range cmds {
		if len(cmd.Val()) == 0 {
			gone = append(gone, sids[i])
			continue
		}
		found = append(found, entry(lane, cmd.Val()[0]))
	}
	if len(gone) > 0 {
		if err := q.client.XAck(ctx, key, GroupWorkers, gone...).Err(); err != nil {
			return found, fmt.Errorf("acknowledge entries of %s: %w", key, err)
		}
	}
	return found, nil
}

// EntryTime is when a stream entry was written by the server's clock, unix ms,
// as its id says.
func EntryTime(id string) int64 { return sidTime(id) }

// sidTime is the millisecond part of a stream entry's id.
func sidTime(sid string) int64 {
	ms, _, _ := strings.Cut(sid, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return n
}
