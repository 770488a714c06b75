package main

import (
	"net"
	"strings"
	"testing"
)

func TestUplinkTests(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	open := l.Addr().String()
	tests, err := uplinkTests([]string{"fra=127.0.0.1", "tcp:" + open})
	if err != nil || len(tests) != 2 || tests[0].Zone != "fra" || tests[1].Zone != "" {
		t.Fatalf("uplinkTests = %+v, %v, want one of fra and one of all zones", tests, err)
	}
	if err := tests[1].Test(t.Context()); err != nil {
		t.Errorf("a port that is open: %v", err)
	}
	l.Close()
	if err := tests[1].Test(t.Context()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a port that is closed: %v, want refused", err)
	}
	_, err = uplinkTests([]string{"Fra=127.0.0.1", "", "tcp:host", "tcp:host:99999", "fra="})
	for _, want := range []string{`"Fra=127.0.0.1": zone`, `"": want a host`, `"tcp:host": want tcp:host:port`, `"tcp:host:99999": params.port`, `"fra=": want a host`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("uplinkTests of wrong texts: %v\nwant %s", err, want)
		}
	}
}
