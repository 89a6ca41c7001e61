package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/muster-go/muster/demo/internal/config"
)

// Prepare creates the table and fills it, where that has not been done. It may be called at any time and by several
// processes at once: each statement does nothing where another was faster.
//
// Check calls it.
func (s *Store) Prepare(ctx context.Context) error {
	if s.isReady.Load() {
		return nil
	}
	if err := s.exec(ctx, s.table.create); err != nil {
		return fmt.Errorf("store: create table %s: %w", s.table.name, err)
	}
	query, args := s.seed()
	if err := s.exec(ctx, query, args...); err != nil {
		return fmt.Errorf("store: fill table %s: %w", s.table.name, err)
	}
	s.isReady.Store(true)
	return nil
}

// Check asks the database through the pool of the calls. It is the probe "db". Its first run that reaches the database
// prepares it, so that an instance whose database is away when it starts comes up all the same, says so on /healthz, and
// enters the registry once its tables are there.
func (s *Store) Check(ctx context.Context) error {
	if err := s.Prepare(ctx); err != nil {
		return err
	}
	return s.ping(ctx)
}

func (s *Store) seed() (string, []any) {
	insert := "INSERT OR IGNORE INTO "
	if s.driver == config.MySQL {
		insert = "INSERT IGNORE INTO "
	}
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", strings.Count(s.table.columns, ",")+1), ",") + ")"
	rows := make([]string, len(s.table.rows))
	var args []any
	for i, r := range s.table.rows {
		rows[i] = row
		args = append(args, r...)
	}
	return insert + s.table.name + " (" + s.table.columns + ") VALUES " + strings.Join(rows, ","), args
}

// exec runs a statement again where the server chose it as the victim of a deadlock, which it does when several
// instances fill one table.
func (s *Store) exec(ctx context.Context, query string, args ...any) (err error) {
	const (
		deadlock    = 1213
		lockTimeout = 1205
		attempts    = 5
	)
	for range attempts {
		if _, err = s.db.ExecContext(ctx, query, args...); err == nil {
			return nil
		}
		if my := (*mysql.MySQLError)(nil); !errors.As(err, &my) || my.Number != deadlock && my.Number != lockTimeout {
			break
		}
	}
	return err
}
