package health

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// SQLOption changes what [SQL] does.
type SQLOption func(*sqlCheck)

// Query sets the statement, for a database that does not know the default, SELECT 1.
func Query(q string) SQLOption { return func(c *sqlCheck) { c.query = q } }

type sqlCheck struct {
	db    *sql.DB
	query string
}

// SQL returns a check that runs a query through the application's own pool, so that it fails when the pool is exhausted,
// too; the probe's Timeout bounds the wait for a connection and the query. It returns nil for a nil db, which [New]
// refuses.
func SQL(db *sql.DB, opts ...SQLOption) func(context.Context) error {
	if db == nil {
		return nil
	}
	c := &sqlCheck{db: db, query: "SELECT 1"}
	for _, o := range opts {
		o(c)
	}
	return c.check
}

func (c *sqlCheck) check(ctx context.Context) error {
	rows, err := c.db.QueryContext(ctx, c.query)
	if err != nil {
		return err
	}
	defer rows.Close() // returns the connection to the pool, whatever comes
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// TCP returns a check that connects to host:port and closes the connection at once. It shows that somebody listens, not
// that they answer: prefer a check that asks something. An address that is none fails at each run, and says so.
func TCP(addr string) func(context.Context) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return always(fmt.Errorf("health: TCP check: address %.80q: want host:port", addr))
	}
	return func(ctx context.Context) error {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// HTTPOption changes what [HTTP] does.
type HTTPOption func(*httpCheck)

// Client sets the client, such as the application's own. It is used as it is, redirects and all.
func Client(c *http.Client) HTTPOption {
	return func(h *httpCheck) {
		if c != nil {
			h.client = c
		}
	}
}

type httpCheck struct {
	url    string
	client *http.Client
}

// HTTP returns a check that gets the URL and wants a status of 200 to 299. By default it uses http.DefaultTransport and
// follows no redirect, since the page that an expired login leads to is well whatever happens. A URL that is none fails at
// each run, and says so.
func HTTP(rawURL string, opts ...HTTPOption) func(context.Context) error {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// The URL itself stays out of the text: it may hold a password.
		return always(errors.New("health: HTTP check: the URL is malformed: want http://host/path or https://host/path"))
	}
	h := &httpCheck{url: rawURL, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, o := range opts {
		o(h)
	}
	return h.check
}

func (h *httpCheck) check(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			return u.Err // without the URL, whose query may hold a secret
		}
		return err
	}
	defer resp.Body.Close()
	// Read a little, so that the connection can be used again.
	if _, err := io.CopyN(io.Discard, resp.Body, 64<<10); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &statusError{resp.StatusCode}
	}
	return nil
}

// statusError is an answer that is no success.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("health: HTTP check: status %d", e.code) }

// always returns a check that fails.
func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}
