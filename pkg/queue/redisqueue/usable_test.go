package redisqueue

import (
	"errors"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/redistest"
)

// A server that cannot be written to for a while is waited for; one that
// already belongs to the fleet is used even then.
func TestUsableWaitsForWrites(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, bad, good string }{
		"memory full":   {"maxmemory", "1", "0"},
		"no replicas":   {"min-replicas-to-write", "1", "0"},
		"other replica": {"replica-read-only", "yes", "yes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, client := t.Context(), redistest.Start(t).Client(t)
			q := New(client, "")
			harm := func() error {
				if name == "other replica" {
					return client.ReplicaOf(ctx, "127.0.0.1", "1").Err()
				}
				return client.ConfigSet(ctx, c.key, c.bad).Err()
			}
			mend := func() error {
				return errors.Join(client.ReplicaOf(ctx, "NO", "ONE").Err(), client.ConfigSet(ctx, c.key, c.good).Err())
			}
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if final, err := q.Usable(ctx, false); final || err == nil {
				t.Errorf("Usable() of a new server = %v, %v, want an error that passes", final, err)
			}
			if err := mend(); err != nil {
				t.Fatal(err)
			}
			if final, err := q.Usable(ctx, false); final || err != nil {
				t.Errorf("Usable() = %v, %v, want no error", final, err)
			}
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if final, err := q.Usable(ctx, false); final || err != nil {
				t.Errorf("Usable() of a server in use = %v, %v, want no error", final, err)
			}
		})
	}
}

func TestUsableIsFinal(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), redistest.Start(t)
	client := s.Client(t)
	q := New(client, "")
	if err := client.ConfigSet(ctx, "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	if final, err := q.Usable(ctx, false); !final || err == nil {
		t.Errorf("Usable() of a server that evicts = %v, %v, want a final error", final, err)
	}
	if final, err := q.Usable(ctx, true); final || err != nil {
		t.Errorf("Usable() where eviction is allowed = %v, %v, want no error", final, err)
	}
	client.Del(ctx, q.KeyMeta())
	if final, err := q.Joinable(ctx, true); final || err != nil || client.Exists(ctx, q.KeyMeta()).Val() != 0 {
		t.Errorf("Joinable() of a server without a schema = %v, %v, want no error and nothing written", final, err)
	}
	if err := client.HSet(ctx, q.KeyMeta(), "schema", Schema+1).Err(); err != nil {
		t.Fatal(err)
	}
	if final, err := q.Usable(ctx, true); !final || err == nil {
		t.Errorf("Usable() of a newer schema = %v, %v, want a final error", final, err)
	}
	if final, err := q.Joinable(ctx, true); !final || err == nil {
		t.Errorf("Joinable() of a newer schema = %v, %v, want a final error", final, err)
	}
	for _, rights := range []string{"-hget", "-eval"} { // somebody may give them yet
		if err := client.Do(ctx, "ACL", "SETUSER", "kim", "on", "nopass", "~*", "+@all", rights).Err(); err != nil {
			t.Fatal(err)
		}
		kim := redis.NewClient(&redis.Options{Addr: s.Addr(), Username: "kim", Password: "x", DisableIdentity: true})
		defer kim.Close()
		if final, err := New(kim, "").Joinable(ctx, true); final || err == nil || !strings.Contains(Explain(err), "users.acl") {
			t.Errorf("Joinable() by a user with %s = %v, %v, want an error that passes", rights, final, err)
		}
	}
	s.Kill()
	if final, err := q.Usable(ctx, true); final || err == nil {
		t.Errorf("Usable() of a server that is away = %v, %v, want an error that passes", final, err)
	}
}
