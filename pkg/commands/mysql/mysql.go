// Package mysql is the command that queries a MySQL or MariaDB server.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	driverpkg "github.com/go-sql-driver/mysql"

	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/commands/internal/sqlcheck"
	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Params are the settings of a check with this command.
type Params = sqlcheck.Params

// Defaults are the params of a check that says nothing.
func Defaults() Params { return sqlcheck.Defaults(3306) }

// New makes the command with a worker's tools.
func New(t tools.Tools) func(Params) (check.Command, error) { return sqlcheck.New(t, ask) }

// settings are those of one connection. What is not named here is off: files
// of the worker (LOCAL INFILE), several statements in one, falling back to
// plain text when the server has no TLS, passwords of before 4.1.
func settings(s sqlcheck.Session) *driverpkg.Config {
	c := driverpkg.NewConfig()
	c.User, c.Passwd, c.DBName = s.User, s.Password, s.DB
	c.Net, c.Addr = "tcp", s.Addr
	c.DialFunc = s.Dial
	c.TLS = s.TLS
	c.AllowNativePasswords = true
	c.AllowCleartextPasswords = s.TLS != nil && s.VerifyTLS
	c.CheckConnLiveness = false
	c.Logger = &driverpkg.NopLogger{}
	return c
}

// ask makes a run: one connection, one read-only transaction, one statement.
func ask(ctx context.Context, s sqlcheck.Session) (sqlcheck.Reply, error) {
	connector, err := driverpkg.NewConnector(settings(s))
	if err != nil {
		return sqlcheck.Reply{}, err
	}
	c, err := connector.Connect(ctx)
	if err != nil {
		var refused *driverpkg.MySQLError
		if errors.As(err, &refused) {
			return sqlcheck.Reply{}, err
		}
		return sqlcheck.Reply{}, &sqlcheck.ConnectError{Err: err}
	}
	defer func() { _ = c.Close() }() // ends the transaction as well
	session, ok := c.(interface {
		driver.ExecerContext
		driver.QueryerContext
	})
	if !ok {
		return sqlcheck.Reply{}, fmt.Errorf("the driver's %T cannot query", c)
	}
	for _, set := range []string{limits(s.Left), readOnly} {
		if _, err := session.ExecContext(ctx, set, nil); err != nil {
			return sqlcheck.Reply{}, fmt.Errorf("set the limits: %w", err)
		}
	}
	rows, err := session.QueryContext(ctx, s.Query, nil)
	if err != nil {
		return sqlcheck.Reply{}, err
	}
	return read(rows)
}

// readOnly makes the transaction of each later statement one that may only
// read. START TRANSACTION READ ONLY would not do: on MariaDB a DROP TABLE ends
// such a transaction and goes through.
const readOnly = "SET SESSION TRANSACTION READ ONLY"

// limits is the statement that bounds the next ones on the server: in rows,
// and in time. MySQL and MariaDB call that differently; each reads its own
// comment.
func limits(left time.Duration) string {
	ms := int64(math.Ceil(float64(left) / float64(time.Millisecond)))
	return fmt.Sprintf("SET /*!50708 SESSION max_execution_time=%d, */ /*M!100101 SESSION max_statement_time=%d.%03d, */ SESSION sql_select_limit=%d",
		ms, ms/1000, ms%1000, sqlcheck.MaxRows+1)
}

// read counts the rows and keeps the first cell. The rest of a result that is
// too long is left where it is: the connection ends anyway.
func read(rows driver.Rows) (sqlcheck.Reply, error) {
	var r sqlcheck.Reply
	cells := make([]driver.Value, len(rows.Columns()))
	if len(cells) == 0 {
		return r, rows.Close()
	}
	for {
		err := rows.Next(cells)
		if errors.Is(err, io.EOF) {
			return r, rows.Close()
		}
		if err != nil {
			return r, err
		}
		if r.Rows == sqlcheck.MaxRows {
			r.More = true
			return r, nil
		}
		if r.Rows++; r.Rows == 1 {
			r.First = cell(cells[0])
		}
	}
}

func cell(v driver.Value) *string {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return sqlcheck.Cell(string(v))
	default:
		return sqlcheck.Cell(fmt.Sprint(v))
	}
}
