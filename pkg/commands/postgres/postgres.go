// Package postgres is the command that queries a PostgreSQL server.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// maxMessage bounds one message of the server: a row, mostly.
const maxMessage = 1 << 20

// Params are the settings of a check with this command.
type Params = sqlcheck.Params

// Defaults are the params of a check that says nothing.
func Defaults() Params { return sqlcheck.Defaults(5432) }

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) { return sqlcheck.New(t, ask) }

// neutral names whatever the environment could name otherwise.
const neutral = "host=localhost port=5432 user=x dbname=x password=x sslmode=disable sslrootcert='' sslcert='' sslkey='' passfile=''" +
	" target_session_attrs=any require_auth='' channel_binding=prefer min_protocol_version=3.0 max_protocol_version=3.0"

// settings are those of one connection. ParseConfig is the only way to make
// them; what it finds in the worker's environment is overwritten.
func settings(s sqlcheck.Session) (*pgconn.Config, error) {
	c, err := pgconn.ParseConfig(neutral)
	if err != nil {
		return nil, err
	}
	c.Host, c.Port = s.Host, uint16(s.Port)
	c.User, c.Password, c.Database = s.User, s.Password, s.DB
	if s.DB == "" {
		c.Database = s.User
	}
	c.TLSConfig, c.Fallbacks = s.TLS, nil
	c.RuntimeParams = map[string]string{"application_name": "redpoll"}
	c.ConnectTimeout = 0 // the context has a deadline
	c.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	c.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx, "tcp", s.Addr) }
	c.MaxProtocolMessageBodyLen = maxMessage
	c.RequireAuth = "!gss,!sspi,!oauth"
	if s.TLS == nil || !s.VerifyTLS {
		c.RequireAuth += ",!password" // the password would go out as it is
	}
	return c, nil
}

// ask makes a run: one connection, one read-only transaction, one statement.
func ask(ctx context.Context, s sqlcheck.Session) (sqlcheck.Reply, error) {
	c, err := settings(s)
	if err != nil {
		return sqlcheck.Reply{}, err
	}
	session, err := pgconn.ConnectConfig(ctx, c)
	if err != nil {
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			return sqlcheck.Reply{}, refused
		}
		return sqlcheck.Reply{}, &sqlcheck.ConnectError{Err: cause(err)}
	}
	defer session.Conn().Close() // the driver would say a long good-bye to a server that hangs
	defer func() { _ = session.Close(ctx) }()
	begin := fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d", max(s.Left/time.Millisecond, 1))
	if err := session.Exec(ctx, begin).Close(); err != nil {
		return sqlcheck.Reply{}, fmt.Errorf("begin to read: %w", err)
	}
	// The extended protocol takes one statement only: the query cannot end the
	// transaction and go on.
	return read(session.ExecParams(ctx, s.Query, nil, nil, nil, nil))
}

// cause gives what was in the way of a connection, without what the driver
// says of user, data base and address: the check has them.
func cause(err error) error {
	var all *pgconn.ConnectError
	if !errors.As(err, &all) {
		return err
	}
	err = all.Unwrap()
	var tries interface{ Unwrap() []error }
	if errors.As(err, &tries) {
		err = tries.Unwrap()[0] // there is one address
	}
	if one := errors.Unwrap(err); one != nil { // without it
		err = one
	}
	if strings.Contains(err.Error(), "unexpected message") { // with a verb of fmt in its text
		return errNoPostgres
	}
	return err
}

var errNoPostgres = errors.New("the answer is not PostgreSQL's")

// read counts the rows and keeps the first cell.
func read(rows *pgconn.ResultReader) (sqlcheck.Reply, error) {
	var r sqlcheck.Reply
	for rows.NextRow() {
		if r.Rows == sqlcheck.MaxRows {
			r.More = true
			return r, nil // the connection ends, and the rest with it
		}
		if r.Rows++; r.Rows > 1 {
			continue
		}
		if cells := rows.Values(); len(cells) > 0 && cells[0] != nil {
			r.First = sqlcheck.Cell(string(cells[0]))
		}
	}
	_, err := rows.Close()
	return r, err
}
