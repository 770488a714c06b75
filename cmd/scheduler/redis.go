package main

import (
	"github.com/redis/go-redis/v9"

	"github.com/redpoll/redpoll/internal/daemon"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// connect makes the client of Redis. It does not connect yet.
func connect(common *daemon.Common) (redis.UniversalClient, error) {
	url, sec := common.Redis()
	return redisqueue.Open(url, sec)
}
