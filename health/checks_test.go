package health

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// ctxFor bounds a check that uses real sockets.
func ctxFor(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestTCP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := TCP(l.Addr().String())
	if err := check(ctxFor(t)); err != nil {
		t.Errorf("somebody listens, and yet: %v", err)
	}
	l.Close()
	if err := check(ctxFor(t)); Classify(err) != ClassRefused {
		t.Errorf("nobody listens, and yet: %v", err)
	}
	if err := TCP("localhost")(ctxFor(t)); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("an address without a port: %v", err)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1<<18)) })
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/login", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	mux.Handle("/moved", http.RedirectHandler("/ok", http.StatusFound))
	mux.HandleFunc("/hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	s := httptest.NewServer(mux)
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections(); s.Close() })

	for _, c := range []struct {
		path string
		want Class
		opts []HTTPOption
	}{
		{"/ok", "", nil},
		{"/gone", ClassOther, nil},
		{"/login", ClassAuth, nil},
		{"/moved", ClassOther, nil},
		{"/moved", "", []HTTPOption{Client(s.Client())}},
		{"/ok", "", []HTTPOption{Client(nil)}},
	} {
		if err := HTTP(s.URL+c.path, c.opts...)(ctxFor(t)); Classify(err) != c.want {
			t.Errorf("%s: %v, want %q", c.path, err, c.want)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := HTTP(s.URL + "/hang?token=s3cret")(ctx); Classify(err) != ClassTimeout || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("hang: %v", err)
	}
	for _, u := range []string{"", "db:3306", "ftp://h/", "http://", "http://u:s3cret@h:port/"} {
		if err := HTTP(u)(ctxFor(t)); err == nil || !strings.Contains(err.Error(), "malformed") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("HTTP(%q): %v", u, err)
		}
	}
}

// fakeDB is a driver whose queries end as fail says.
type fakeDB struct {
	fail    error
	queries chan string
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) { return fakeConn{f}, nil }
func (f *fakeDB) Driver() driver.Driver                        { return nil }
func (c fakeConn) Prepare(string) (driver.Stmt, error)         { return nil, errors.ErrUnsupported }
func (c fakeConn) Close() error                                { return nil }
func (c fakeConn) Begin() (driver.Tx, error)                   { return nil, errors.ErrUnsupported }
func (fakeRows) Columns() []string                             { return []string{"1"} }
func (fakeRows) Close() error                                  { return nil }
func (r fakeRows) Next([]driver.Value) error                   { return r.end }
func (c fakeConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	c.queries <- q
	return fakeRows{c.fail}, nil
}

type (
	fakeConn struct{ *fakeDB }
	fakeRows struct{ end error }
)

func TestSQL(t *testing.T) {
	t.Parallel()
	if SQL(nil) != nil {
		t.Error("a check of no database")
	}
	f := &fakeDB{fail: io.EOF, queries: make(chan string, 10)}
	db := sql.OpenDB(f)
	defer db.Close()
	db.SetMaxOpenConns(1)
	if err := SQL(db)(ctxFor(t)); err != nil || <-f.queries != "SELECT 1" {
		t.Errorf("well, and yet: %v", err)
	}
	if err := SQL(db, Query("SELECT 1 FROM DUAL"))(ctxFor(t)); err != nil || <-f.queries != "SELECT 1 FROM DUAL" {
		t.Errorf("other query: %v", err)
	}

	// The error of a row is one of the check, and the connection goes back to the pool.
	f.fail = errors.New("broken")
	if err := SQL(db)(ctxFor(t)); !errors.Is(err, f.fail) {
		t.Errorf("broken row: %v", err)
	}
	f.fail = io.EOF
	if err := SQL(db)(ctxFor(t)); err != nil {
		t.Errorf("after a broken row: %v", err)
	}

	// An exhausted pool is what the application sees, so the check sees it.
	c, err := db.Conn(ctxFor(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := SQL(db)(ctx); Classify(err) != ClassTimeout {
		t.Errorf("exhausted pool: %v", err)
	}
}
