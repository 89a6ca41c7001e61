package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// Seeded are the ids that exist: users 1 to SeededUsers, orders 1 to SeededOrders.
const (
	SeededUsers  = 50
	SeededOrders = 300
)

// Users is the table of user-svc.
type Users struct{ *Store }

// OpenUsers opens the table of users in that database; see config.Config for driver and dsn.
func OpenUsers(driver, dsn string) (Users, error) {
	first := []string{"Ada", "Bo", "Chen", "Dana", "Emil", "Fang", "Grace", "Hugo", "Ines", "Jun"}
	last := []string{"Almeida", "Brandt", "Cui", "Diallo", "Eriksen"}
	t := table{
		name: "users",
		create: `CREATE TABLE IF NOT EXISTS users (
			id    BIGINT       NOT NULL PRIMARY KEY,
			name  VARCHAR(100) NOT NULL,
			email VARCHAR(200) NOT NULL
		)`,
		columns: "id, name, email",
	}
	for i := range SeededUsers {
		f, l := first[i%len(first)], last[i/len(first)%len(last)]
		t.rows = append(t.rows, []any{i + 1, f + " " + l, fmt.Sprintf("user%d@shop.example", i+1)})
	}
	s, err := open(driver, dsn, t)
	return Users{s}, err
}

// User returns the user of that id, or ErrNotFound.
func (u Users) User(ctx context.Context, id int64) (*user.User, error) {
	r := &user.User{}
	err := u.db.QueryRowContext(ctx, `SELECT id, name, email FROM users WHERE id = ?`, id).Scan(&r.Id, &r.Name, &r.Email)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: user %d: %w", id, err)
	}
	return r, nil
}
