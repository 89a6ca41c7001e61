// Package store keeps the demo's users and orders in SQLite or MySQL.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/muster-go/muster/demo/internal/config"
	"github.com/muster-go/muster/health"
)

// ErrNotFound is returned for a row that does not exist.
var ErrNotFound = errors.New("store: not found")

// Store is one table in one database. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	keep    *sql.Conn // a database in memory lives as long as a connection to it does
	table   table
	driver  string
	ping    func(context.Context) error
	isReady atomic.Bool
}

// table is created and filled where it is not there yet.
type table struct {
	name, create string
	columns      string
	rows         [][]any
}

// open returns the store without having spoken to a server: a service starts while its database is away, and its probe
// says so. Only a database in memory, which can't be away, is opened at once.
func open(driver, dsn string, t table) (*Store, error) {
	s := &Store{table: t, driver: driver}
	var err error
	switch driver {
	case config.MySQL:
		s.db, err = openMySQL(dsn)
	case config.SQLite:
		s.db, err = openSQLite(dsn)
	default:
		err = fmt.Errorf("store: driver %q: want %s or %s", driver, config.SQLite, config.MySQL)
	}
	if err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(16)
	s.db.SetMaxIdleConns(16)
	s.ping = health.SQL(s.db)
	if driver == config.SQLite && dsn == "" {
		if s.keep, err = s.db.Conn(context.Background()); err != nil {
			return nil, errors.Join(fmt.Errorf("store: database in memory: %w", err), s.db.Close())
		}
	}
	return s, nil
}

func openMySQL(dsn string) (*sql.DB, error) {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("store: DEMO_DB_DSN: want user:password@tcp(host:port)/database") // the error may quote the password
	}
	for _, d := range []*time.Duration{&c.Timeout, &c.ReadTimeout, &c.WriteTimeout} {
		if *d == 0 {
			*d = 2 * time.Second // without one, a server that hangs holds a call for minutes
		}
	}
	c.Logger = &mysql.NopLogger{} // what it would say, the calls return
	conn, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("store: DEMO_DB_DSN: %w", err)
	}
	return sql.OpenDB(conn), nil
}

func openSQLite(dsn string) (*sql.DB, error) {
	switch {
	case dsn == "":
		dsn = "file:/" + rand.Text() + "?vfs=memdb"
	case !strings.HasPrefix(dsn, "file:"):
		dsn = "file:" + (&url.URL{Path: dsn}).EscapedPath() + "?_pragma=busy_timeout(2000)" // several instances share the file
	}
	return sql.Open("sqlite", dsn)
}

// DB returns the handle that all calls go through, so that a probe sees their pool.
func (s *Store) DB() *sql.DB { return s.db }

// Close closes the database.
func (s *Store) Close() error {
	if s.keep != nil {
		_ = s.keep.Close()
	}
	return s.db.Close()
}
