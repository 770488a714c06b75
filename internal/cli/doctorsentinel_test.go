package cli

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

func TestDoctorSentinel(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	addr := redistest.StartSentinel(t, master)
	url := "redis+sentinel://" + addr + "/mymaster"
	eventually(t, func() error {
		client, err := redisqueue.Open(url, redisqueue.Security{})
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(t.Context()).Err()
	})
	found, _ := examine(t, "--redis", url)
	wantFinding(t, found, "sentinel", howOK, "1 usable Sentinels")
	if n := len(found["sentinel"]); n != 1 {
		t.Errorf("%d findings, want one: %+v", n, found["sentinel"])
	}
	c := redis.NewSentinelClient(&redis.Options{Addr: addr, DisableIdentity: true})
	defer c.Close()
	if err := c.Set(t.Context(), "mymaster", "down-after-milliseconds", "1000").Err(); err != nil {
		t.Fatal(err)
	}
	found, _ = examine(t, "--redis", url)
	wantFinding(t, found, "sentinel", howWarn, "after 1000 ms")
	found, _ = examine(t, "--redis", strings.Replace(url, "redis+sentinel://", "redis+sentinel://127.0.0.1:1,", 1))
	wantFinding(t, found, "sentinel", howBad, "127.0.0.1:1")
}
