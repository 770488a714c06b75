package redisqueue

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
)

// Sentinels with a password of their own get that one, never the server's.
func TestSentinelPassword(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	addr := redistest.StartSentinel(t, master)
	plain := redis.NewClient(&redis.Options{Addr: addr, MaintNotificationsConfig: noNotices(), DisableIdentity: true})
	defer plain.Close()
	eventually(t, func() bool { return plain.Ping(t.Context()).Err() == nil })
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("of sentinels\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := plain.Do(t.Context(), "ACL", "SETUSER", "watch", "on", ">of sentinels", "+@all", "allchannels").Err(); err != nil {
		t.Fatal(err)
	}
	if err := plain.Do(t.Context(), "ACL", "SETUSER", "default", "off").Err(); err != nil {
		t.Fatal(err)
	}
	if err := master.Client(t).ConfigSet(t.Context(), "requirepass", "of the server").Err(); err != nil {
		t.Fatal(err)
	}
	url := "redis+sentinel://" + addr + "/mymaster"
	ask := func(sec Security) error {
		client, err := Open(url, sec)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(t.Context()).Err()
	}
	good := Security{Password: "of the server", SentinelUsername: "watch", SentinelPasswordFile: file}
	if err := ask(good); err != nil {
		t.Errorf("with both passwords: %v", err)
	}
	for name, sec := range map[string]Security{
		"none of the Sentinels":         {Password: "of the server"},
		"a wrong one for the Sentinels": {Password: "of the server", SentinelUsername: "watch", SentinelPassword: "of the server"},
	} {
		if err := ask(sec); err == nil || !strings.Contains(Explain(err), "redis-sentinel-password") {
			t.Errorf("%s: %v, explained as %q, want a word about redis-sentinel-password", name, err, Explain(err))
		}
	}
	clients, _, err := Sentinels(url, good)
	if err != nil || len(clients) != 1 {
		t.Fatalf("Sentinels() = %v, %v", clients, err)
	}
	if err := clients[addr].CkQuorum(t.Context(), "mymaster").Err(); err != nil && strings.Contains(err.Error(), "AUTH") {
		t.Errorf("a look at the Sentinel: %v", err)
	}
	_ = clients[addr].Close()
	for _, sec := range []Security{{SentinelPasswordFile: file + ".none"}, {SentinelUsername: "watch"}} {
		if _, err := Open(url, sec); err == nil || !strings.Contains(err.Error(), "redis-sentinel-") {
			t.Errorf("Open() with %+v = %v, want an error about the setting", sec, err)
		}
	}
}
