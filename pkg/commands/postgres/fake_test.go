package postgres_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/redpoll/redpoll/internal/peertest"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck/sqltest"
)

// fake is a server that knows as much of PostgreSQL's protocol as one query
// needs.
type fake struct {
	auth  pgproto3.AuthenticationResponseMessage // what it asks for before it lets one in
	heard func(pgproto3.FrontendMessage)
	cell  []byte // the answer to every query, when not nil, again and again
}

// start serves until the test ends and gives host, port and user as params.
func (f fake) start(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf(`"host":"127.0.0.1","port":%d,"user":"monitor"`, peertest.Accept(t, f.serve))
}

func (f fake) serve(nc net.Conn) {
	b := pgproto3.NewBackend(nc, nc)
	m, err := b.ReceiveStartupMessage()
	if _, wantsTLS := m.(*pgproto3.SSLRequest); wantsTLS && err == nil {
		if _, err = nc.Write([]byte("N")); err == nil {
			_, err = b.ReceiveStartupMessage()
		}
	}
	if err != nil {
		return
	}
	if f.auth != nil {
		b.Send(f.auth)
		if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
			return
		}
		if m, err := b.Receive(); err != nil || f.hear(m) != nil {
			return
		}
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if b.Flush() != nil {
		return
	}
	query := ""
	for {
		m, err := b.Receive()
		if err != nil {
			return
		}
		_ = f.hear(m)
		switch m := m.(type) {
		case *pgproto3.Query: // BEGIN and the like
			for range strings.Split(m.String, ";") {
				b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SET")})
			}
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
		case *pgproto3.Parse:
			query = m.Query
		case *pgproto3.Sync:
			f.answer(b, query)
		case *pgproto3.Terminate:
			return
		}
		if b.Flush() != nil {
			return
		}
	}
}

func (f fake) hear(m pgproto3.FrontendMessage) error {
	if f.heard != nil {
		f.heard(m)
	}
	return nil
}

func (f fake) answer(b *pgproto3.Backend, query string) {
	cells, fault, ok := sqltest.Answer(query)
	if !ok {
		return
	}
	b.Send(&pgproto3.ParseComplete{})
	if fault != "" {
		b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: fault})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'E'})
		return
	}
	b.Send(&pgproto3.BindComplete{})
	b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("v"), DataTypeOID: 25}}})
	for _, c := range cells {
		row := &pgproto3.DataRow{Values: [][]byte{nil}}
		if c != nil {
			row.Values[0] = []byte(*c)
		}
		b.Send(row)
	}
	for f.cell != nil {
		b.Send(&pgproto3.DataRow{Values: [][]byte{f.cell}})
		if b.Flush() != nil {
			return
		}
	}
	b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT")})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
}
