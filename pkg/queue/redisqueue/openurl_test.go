package redisqueue

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// The user and the password stand in every scheme as they do in any URL.
func TestOpenPasswordWithEscapes(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://us%2Fer:p%40s%3As@127.0.0.1:1/0",
		"redis+cluster://us%2Fer:p%40s%3As@127.0.0.1:1,127.0.0.1:2",
		"redis+sentinel://us%2Fer:p%40s%3As@127.0.0.1:1/mymaster/0",
	} {
		client, err := Open(url, Security{})
		if err != nil {
			t.Errorf("Open(%s): %v", url, err)
			continue
		}
		var user, password string
		switch c := client.(type) {
		case *redis.Client:
			user, password = c.Options().Username, c.Options().Password
		case *redis.ClusterClient:
			user, password = c.Options().Username, c.Options().Password
		}
		_ = client.Close()
		if user != "us/er" || password != "p@s:s" {
			t.Errorf("Open(%s): user %q, password %q, want us/er and p@s:s", url, user, password)
		}
	}
	if _, err := Open("redis+cluster://u:sec%ret@127.0.0.1:1", Security{}); err == nil || strings.Contains(err.Error(), "ret") {
		t.Errorf("Open() of a bad escape = %v, want an error without the password", err)
	}
	if _, err := Open("redis+sentinel://127.0.0.1:1/mymaster/0x", Security{}); err == nil {
		t.Error("Open() of database 0x worked, want an error")
	}
}
