package redisqueue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestResultsBefore(t *testing.T) {
	eachQueue(t, func(t *testing.T, r *rig) {
		for i := 1; i <= 7; i++ {
			r.must(r.client.XAdd(t.Context(), &redis.XAddArgs{
				Stream: r.KeyResults(lane), ID: fmt.Sprintf("%d-0", 1000*i), Values: []any{"event", fmt.Sprint(i)},
			}).Err())
		}
		pages := func(since int64) string {
			var text []string
			for before := ""; ; {
				page, err := r.ResultsBefore(t.Context(), lane, before, since, 3)
				r.must(err)
				if len(page) == 0 {
					return strings.Join(text, " ")
				}
				for _, e := range page {
					before = e.SID
					text = append(text, fmt.Sprintf("%s@%d", e.Event, e.Committed()))
				}
				text = append(text, "|")
			}
		}
		if got, want := pages(0), "7@7000 6@6000 5@5000 | 4@4000 3@3000 2@2000 | 1@1000 |"; got != want {
			t.Errorf("pages = %s, want %s", got, want)
		}
		if got, want := pages(5000), "7@7000 6@6000 5@5000 |"; got != want {
			t.Errorf("pages since 5000 = %s, want %s", got, want)
		}
	})
}
