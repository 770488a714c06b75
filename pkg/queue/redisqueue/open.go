package redisqueue

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Open makes a client of a URL; it does not connect yet. The schemes are
//
//	redis://[user:password@]host:port/db      one server
//	rediss://...                              the same over TLS
//	unix:///path/to/socket?db=0               one server, local
//	redis+cluster://host:port,host:port       Redis Cluster (rediss+cluster: TLS)
//	redis+sentinel://host:port,host:port/master/db   Sentinel (rediss+sentinel: TLS)
//
// A host is taken by its word: over TLS its certificate must be for the host
// of the URL, or for Security.ServerName. User and password of a URL with
// Sentinels are those of the server; Security has what Sentinels ask for
// themselves. Errors never contain a password.
func Open(rawURL string, sec Security) (redis.UniversalClient, error) {
	if err := sec.check(); err != nil {
		return nil, err
	}
	scheme, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return nil, errors.New("redis url: want redis://, rediss://, unix://, redis+cluster:// or redis+sentinel:// and an address")
	}
	var o *redis.UniversalOptions
	var err error
	switch scheme {
	case "redis", "rediss", "unix":
		return openSingle(rawURL, sec)
	case "redis+cluster", "rediss+cluster":
		o, err = manyOptions(scheme, rest, false)
	case "redis+sentinel", "rediss+sentinel":
		o, err = manyOptions(scheme, rest, true)
	default:
		err = fmt.Errorf("redis url: scheme %q: want redis, rediss, unix, redis+cluster or redis+sentinel", scheme)
	}
	if err != nil {
		return nil, err
	}
	if sec.wantsTLS() {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	o.Dialer = sec.dialer(o.TLSConfig != nil, dialTimeout)
	if sec.Username != "" {
		o.Username = sec.Username
	}
	if sec.Password != "" {
		o.Password = sec.Password
	}
	o.CredentialsProviderContext = sec.credentials(o.Username)
	o.DisableIdentity = true
	o.MaintNotificationsConfig = noNotices()
	o.DialerRetries = 1            // commands are repeated
	o.ContextTimeoutEnabled = true // a Redis that hangs holds up nobody for longer than he has time
	if o.MasterName != "" {
		o.SentinelUsername = sec.SentinelUsername
		if o.SentinelPassword, err = sec.sentinelPassword(); err != nil {
			return nil, err
		}
		return redis.NewFailoverClient(o.Failover()), nil
	}
	o.PoolSize = 10*runtime.GOMAXPROCS(0) + clusterReads
	cluster := o.Cluster()
	cluster.ClusterStateReloadInterval = clusterReload
	return redis.NewClusterClient(cluster), nil
}

// clusterReload is how old the client's knowledge of a cluster may be: nobody
// tells it that a replica has taken over from a primary that answers no more.
const clusterReload = 2 * time.Second

// clusterReads is how many connections to each server of a cluster may wait in
// blocking reads, one for each lane, beside those that calls use. They are made
// when they are needed.
const clusterReads = 64

// noNotices keeps the client from asking for notices that Redis does not know
// and users have no right to.
func noNotices() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func openSingle(rawURL string, sec Security) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, errors.New("redis url: " + withoutURL(err))
	}
	if o.TLSConfig != nil && o.TLSConfig.InsecureSkipVerify {
		return nil, errors.New("redis url: skip_verify: certificates are always verified; redis-ca names the file of those that sign them")
	}
	o.DisableIdentity = true
	o.MaintNotificationsConfig = noNotices()
	o.DialerRetries = 1
	o.ContextTimeoutEnabled = true
	if sec.wantsTLS() && o.Network != "unix" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	timeout := dialTimeout
	if o.DialTimeout > 0 {
		timeout = o.DialTimeout
	}
	o.Dialer = sec.dialer(o.TLSConfig != nil, timeout)
	if sec.Username != "" {
		o.Username = sec.Username
	}
	if sec.Password != "" {
		o.Password = sec.Password
	}
	o.CredentialsProviderContext = sec.credentials(o.Username)
	return redis.NewClient(o), nil
}

// withoutURL drops the text of the URL, which may hold a password.
func withoutURL(err error) string {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err.Error()
	}
	return err.Error()
}

// manyOptions reads [user:password@]host,host[/master[/db]].
func manyOptions(scheme, rest string, sentinel bool) (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{}
	if strings.HasPrefix(scheme, "rediss") {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		var errs [2]error
		user, password, _ := strings.Cut(rest[:at], ":")
		o.Username, errs[0] = url.PathUnescape(user)
		o.Password, errs[1] = url.PathUnescape(password)
		if errs != [2]error{} {
			return nil, errors.New("redis url: user and password: write % as %25")
		}
		rest = rest[at+1:]
	}
	hosts, path, _ := strings.Cut(rest, "/")
	for _, h := range strings.Split(hosts, ",") {
		if h = strings.TrimSpace(h); h != "" {
			o.Addrs = append(o.Addrs, h)
		}
	}
	if len(o.Addrs) == 0 {
		return nil, fmt.Errorf("redis url: %s needs addresses: %s://host:port,host:port", scheme, scheme)
	}
	master, db, _ := strings.Cut(path, "/")
	if !sentinel {
		if path != "" && path != "0" {
			return nil, fmt.Errorf("redis url: a cluster has one database, /%s is not known", path)
		}
		return o, nil
	}
	if master == "" {
		return nil, fmt.Errorf("redis url: %s needs the master's name: %s://host:port/mymaster", scheme, scheme)
	}
	o.MasterName = master
	if db != "" {
		var err error
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return nil, fmt.Errorf("redis url: database %q: want a number", db)
		}
	}
	return o, nil
}
