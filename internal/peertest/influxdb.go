package peertest

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redpoll/redpoll/internal/porttest"
)

// InfluxDB is an InfluxDB 1 with the user monitor, who may do everything and
// has a Password.
type InfluxDB struct {
	URL      string // http://127.0.0.1:port
	Password string
	Stop     func() // ends it; see Run

	dir string
}

// StartInfluxDB starts Debian's influxdb.
func StartInfluxDB(t testing.TB) *InfluxDB {
	t.Helper()
	dir := Dir(t)
	addr := "127.0.0.1:" + strconv.Itoa(porttest.Free(t))
	i := &InfluxDB{URL: "http://" + addr, Password: sqlPassword, dir: dir}
	Write(t, dir, "influxdb.conf", fmt.Sprintf(`
reporting-disabled = true
bind-address = "127.0.0.1:%d"
[meta]
  dir = %q
[data]
  dir = %q
  wal-dir = %q
[monitor]
  store-enabled = false
[http]
  bind-address = %q
  auth-enabled = true
  log-enabled = false
`, porttest.Free(t), filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), addr))
	i.Run(t)
	i.Query(t, "", "CREATE USER monitor WITH PASSWORD '"+i.Password+"' WITH ALL PRIVILEGES")
	return i
}

// Run starts it again after Stop, with the same data.
func (i *InfluxDB) Run(t testing.TB) {
	t.Helper()
	i.Stop = Serve(t, answers(i.URL+"/ping"), i.dir, Program(t, "influxdb", "influxd"), "run", "-config", filepath.Join(i.dir, "influxdb.conf"))
}

// Query runs a statement and gives the answer as CSV, times in ms.
func (i *InfluxDB) Query(t testing.TB, db, statement string) string {
	t.Helper()
	form := url.Values{"q": {statement}, "db": {db}, "epoch": {"ms"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.URL+"/query", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/csv")
	req.SetBasicAuth("monitor", i.Password)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.HasPrefix(string(text), "error") {
		t.Fatalf("%s: %s %v\n%s", statement, resp.Status, err, text)
	}
	return string(text)
}
