package redisqueue

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/pkg/check"
)

// FuzzRecord: what the scripts call a record and what Go calls one is the same,
// and nothing panics over what is none.
func FuzzRecord(f *testing.F) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(m.Close)
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), DisableIdentity: true, MaxRetries: -1, ReadTimeout: 2 * time.Second})
	f.Cleanup(func() { c.Close() })
	for _, text := range []string{
		"w - 1700000000000 - - 0 0 1-1 - 0123456789abcdef 0", "q p 1 1-1 - 0 0 1-1.2 x 0123456789abcdef 0", "l av 1 1-1 w/abc 1700000000000 2 1-1 - 0123456789abcdef 5",
		"t - 0 - - 0 0 1-1 - - 9", "b - 1 - - 0 0 1-1 >fra:0/w/1700000000000/abc 0123456789abcdef 7", "", "x", "w - 1 - - 0 0 1-1 - -", "l - 1 99999999999999999999-1 w/a 1 1 1-1 - - 1", "d - 1 - - 0 0 1-1\n - a 0",
	} {
		f.Add(text)
	}
	script := redis.NewScript(luaText("prelude") + "\nreturn read(ARGV[1]) and 1 or 0")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := ParseRecord(text)
		n, luaErr := script.Run(t.Context(), c, nil, text).Int()
		if luaErr != nil {
			t.Fatalf("read(%q): %v", text, luaErr)
		}
		if (err == nil) != (n == 1) {
			t.Errorf("%q is a record for Go: %v, for Lua: %v", text, err == nil, n == 1)
		}
		leaseWords(text)
		ofRecord(text, text)
		heldRecord(&check.Completion{Record: text, Token: text})
	})
}

// FuzzStored: what stands in Redis and is no JSON, or of another form, is left
// out; nothing panics.
func FuzzStored(f *testing.F) {
	for _, text := range []string{
		`{"name":"w","zones":["a"],"at":1,"every":3000}`, "1 4", "-1 9999999999", "1 1 1", `{"id":"default/a/1","opened":1,"resolved":2}`,
		`{"by":"kim","until":"2026-01-02T03:04:05Z"}`, "default/a/1/ack", `{"at":1e99}`, `[]`, "null", `"x"`, "{", "\xff",
	} {
		f.Add("default", text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if z, ok := parseZone(text); ok && (z.Partitions < 0 || z.Partitions > MaxPartitions) {
			t.Errorf("parseZone(%q) = %+v", text, z)
		}
		if hb, ok := parseBeat(name, text); ok && hb.Name != name {
			t.Errorf("parseBeat(%q, %q) has the name %q", name, text, hb.Name)
		}
		id, extra := splitIncident(text)
		if id != text && id+"/"+extra != text {
			t.Errorf("splitIncident(%q) = %q, %q", text, id, extra)
		}
		if isOpen(text) && !json.Valid([]byte(text)) {
			t.Errorf("%q is an open incident", text)
		}
		EntryTime(text)
	})
}
