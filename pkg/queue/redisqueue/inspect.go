package redisqueue

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// hostsOf gives the addresses that a URL names, with their ports.
func hostsOf(rawURL string) []string {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	if scheme == "unix" {
		return nil
	}
	port := "6379"
	if strings.HasSuffix(scheme, "+sentinel") {
		port = "26379"
	}
	hosts, _, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "/")
	hosts, _, _ = strings.Cut(hosts, "?")
	var out []string
	for host := range strings.SplitSeq(hosts, ",") {
		host = strings.TrimSpace(host)
		name, own, err := net.SplitHostPort(host)
		if err != nil {
			name, own = strings.Trim(host, "[]"), port
		}
		out = append(out, net.JoinHostPort(name, own))
	}
	return out
}

// Certificate is one that a connection to Redis rests on.
type Certificate struct {
	// Of is the server's address, or the file of our own.
	Of string
	// Until is when it ends, or the first of those that vouch for it.
	Until time.Time
	// Version is that of TLS: "TLS 1.3"; empty for a file.
	Version string
}

// Certificates connects to each server that the URL names, and reads our own
// certificate. Without TLS there are none.
func Certificates(ctx context.Context, rawURL string, sec Security) ([]Certificate, error) {
	if strings.HasPrefix(rawURL, "unix:") || (!strings.HasPrefix(rawURL, "rediss") && !sec.wantsTLS()) {
		return nil, nil
	}
	var list []Certificate
	var errs []error
	for _, addr := range hostsOf(rawURL) {
		conn, err := sec.dialer(true, dialTimeout)(ctx, "tcp", addr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		state := conn.(*tls.Conn).ConnectionState()
		_ = conn.Close() // it was only looked at
		c := Certificate{Of: addr, Version: tls.VersionName(state.Version)}
		for _, chain := range state.VerifiedChains[:min(1, len(state.VerifiedChains))] {
			c.Until = firstEnd(chain)
		}
		list = append(list, c)
	}
	conf, err := sec.config()
	if err != nil {
		return list, errors.Join(append(errs, err)...)
	}
	for _, pair := range conf.Certificates {
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			errs = append(errs, fmt.Errorf("redis-cert %s: %w", sec.CertFile, err))
			continue
		}
		list = append(list, Certificate{Of: sec.CertFile, Until: leaf.NotAfter})
	}
	return list, errors.Join(errs...)
}

func firstEnd(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// Sentinels gives a client for each Sentinel of a URL, and the name of the
// master that they watch; none for another URL. The caller closes them.
func Sentinels(rawURL string, sec Security) (clients map[string]*redis.SentinelClient, master string, err error) {
	scheme, rest, _ := strings.Cut(rawURL, "://")
	if !strings.HasSuffix(scheme, "+sentinel") {
		return nil, "", nil
	}
	o, err := manyOptions(scheme, rest, true)
	if err != nil {
		return nil, "", err
	}
	password, err := sec.sentinelPassword()
	if err != nil {
		return nil, "", err
	}
	clients = map[string]*redis.SentinelClient{}
	for _, addr := range hostsOf(rawURL) {
		one := &redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, MaintNotificationsConfig: noNotices(), DisableIdentity: true}
		one.Username, one.Password = sec.SentinelUsername, password
		one.Dialer = sec.dialer(o.TLSConfig != nil || sec.wantsTLS(), dialTimeout)
		clients[addr] = redis.NewSentinelClient(one)
	}
	return clients, o.MasterName, nil
}
