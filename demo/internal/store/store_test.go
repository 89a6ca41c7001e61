package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-go/muster/demo/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// databases are those that a test can open anew: MySQL only where DEMO_TEST_MYSQL_DSN names one.
func databases(t *testing.T) map[string][2]string {
	dbs := map[string][2]string{
		"memory": {config.SQLite, ""},
		"file":   {config.SQLite, filepath.Join(t.TempDir(), "50% of a name?.db")},
	}
	if dsn := os.Getenv("DEMO_TEST_MYSQL_DSN"); dsn != "" {
		dbs["mysql"] = [2]string{config.MySQL, dsn}
	}
	return dbs
}

func TestUsersAndOrders(t *testing.T) {
	t.Parallel()
	for name, db := range databases(t) {
		t.Run(name, func(t *testing.T) {
			users, err := OpenUsers(db[0], db[1])
			if err != nil {
				t.Fatal(err)
			}
			defer users.Close()
			orders, err := OpenOrders(db[0], db[1])
			if err != nil {
				t.Fatal(err)
			}
			defer orders.Close()

			for range 2 { // idempotent
				if err := errors.Join(users.Prepare(t.Context()), orders.Prepare(t.Context())); err != nil {
					t.Fatal(err)
				}
				users.isReady.Store(false)
				orders.isReady.Store(false)
			}

			u, err := users.User(t.Context(), 1)
			if err != nil || u.Name != "Ada Almeida" || u.Email != "user1@shop.example" {
				t.Fatalf("user 1 = %+v, %v", u, err)
			}
			if _, err := users.User(t.Context(), SeededUsers+1); !errors.Is(err, ErrNotFound) {
				t.Fatalf("unknown user: %v, want ErrNotFound", err)
			}
			o, err := orders.Order(t.Context(), SeededOrders)
			if err != nil || o.UserId < 1 || o.UserId > SeededUsers || o.Item == "" || o.Total == 0 {
				t.Fatalf("last order = %+v, %v", o, err)
			}
			if _, err := orders.Order(t.Context(), 0); !errors.Is(err, ErrNotFound) {
				t.Fatalf("unknown order: %v, want ErrNotFound", err)
			}
			var sum int64
			for id := range int64(SeededUsers + 2) {
				n, err := orders.Count(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				sum += n
			}
			if sum != SeededOrders {
				t.Fatalf("%d orders in all, want %d", sum, SeededOrders)
			}
		})
	}
}

// Instances that start together fill one database: all of them come up, and nothing is there twice.
func TestPrepareTogether(t *testing.T) {
	t.Parallel()
	for name, db := range databases(t) {
		if name == "memory" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					o, err := OpenOrders(db[0], db[1])
					if err != nil {
						t.Error(err)
						return
					}
					defer o.Close()
					if err := o.Prepare(t.Context()); err != nil {
						t.Error(err)
					}
					var n int
					if err := o.DB().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM orders`).Scan(&n); err != nil || n != SeededOrders {
						t.Errorf("%d orders, %v; want %d", n, err, SeededOrders)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestMemoryIsPrivateAndStays(t *testing.T) {
	t.Parallel()
	a, err := OpenUsers(config.SQLite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := OpenUsers(config.SQLite, "")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := a.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.User(t.Context(), 1); err == nil || errors.Is(err, ErrNotFound) {
		t.Fatalf("a second database in memory answers %v, want that it has no table", err)
	}
	a.DB().SetMaxIdleConns(-1) // drops every connection of the pool
	if _, err := a.User(t.Context(), 1); err != nil {
		t.Fatalf("the table went with the pool's connections: %v", err)
	}
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	s, err := OpenUsers(config.MySQL, "u:"+secret+"@tcp(127.0.0.1:1)/shop")
	if err != nil {
		t.Fatalf("a store must open while its database is away: %v", err)
	}
	defer s.Close()
	if err := s.Prepare(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
		t.Fatalf("Prepare = %v, want an error without the password", err)
	}
	if _, err := s.User(context.Background(), 1); err == nil || errors.Is(err, ErrNotFound) {
		t.Fatalf("User = %v, want an error that is not ErrNotFound", err)
	}
}

func TestBadDriver(t *testing.T) {
	t.Parallel()
	if _, err := OpenUsers("postgres", ""); err == nil {
		t.Fatal("no error")
	}
}
