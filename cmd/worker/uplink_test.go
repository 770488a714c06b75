package main

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

func TestUplinkTests(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed := net.JoinHostPort("127.0.0.1", strconv.Itoa(porttest.Free(t)))
	tests, err := uplinkTests([]string{"fra=127.0.0.1", "tcp:" + l.Addr().String(), "tcp:" + closed})
	if err != nil || len(tests) != 3 || tests[0].Zone != "fra" || tests[1].Zone != "" {
		t.Fatalf("uplinkTests = %+v, %v, want one of fra and two of all zones", tests, err)
	}
	if err := tests[1].Test(t.Context()); err != nil {
		t.Errorf("a port that is open: %v", err)
	}
	if err := tests[2].Test(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a port that is closed: %v, want refused", err)
	}
	_, err = uplinkTests([]string{"Fra=127.0.0.1", "", "tcp:host", "tcp:host:99999", "fra="})
	for _, want := range []string{`"Fra=127.0.0.1": zone`, `"": want a host`, `"tcp:host": want tcp:host:port`, `"tcp:host:99999": params.port`, `"fra=": want a host`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("uplinkTests of wrong texts: %v\nwant %s", err, want)
		}
	}
}
