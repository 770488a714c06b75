package smtp_test

import (
	"fmt"
	"testing"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/check"
)

func TestPostfix(t *testing.T) {
	t.Parallel()
	p := peertest.StartPostfix(t)
	plain := fmt.Sprintf(`"host":"127.0.0.1","port":%d`, p.Port)
	wrapped := fmt.Sprintf(`"host":"127.0.0.1","port":%d`, p.TLSPort)
	ca := fmt.Sprintf(`"ca":%q`, p.Cert.PEM)
	want(t, plain, `{"expect":"^250-mail\\.example\\.test\\n"}`, check.StateOK, "")
	want(t, plain, `{"starttls":true,"expect":"(?m)^250[ -]SMTPUTF8$",`+ca+`}`, check.StateOK, "")
	want(t, plain, `{"starttls":true}`, check.StateCrit, "CONNECTION_ERROR")
	want(t, wrapped, `{"tls":true,`+ca+`}`, check.StateOK, "")
	want(t, plain, `{"expect":"(?m)^250[ -]CHUNKING$"}`, check.StateOK, "")
}
