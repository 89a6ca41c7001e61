package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/muster-go/muster/demo/kitex_gen/order"
)

// Orders is the table of order-svc.
type Orders struct{ *Store }

// OpenOrders opens the table of orders in that database; see config.Config for driver and dsn.
func OpenOrders(driver, dsn string) (Orders, error) {
	items := []string{"tea", "bicycle bell", "fountain pen", "lamp", "atlas", "kettle", "chess set"}
	t := table{
		name: "orders",
		// The second key finds a user's orders; SQLite and MySQL have no common words for a plain index.
		create: `CREATE TABLE IF NOT EXISTS orders (
			id      BIGINT       NOT NULL PRIMARY KEY,
			user_id BIGINT       NOT NULL,
			item    VARCHAR(100) NOT NULL,
			total   BIGINT       NOT NULL,
			UNIQUE (user_id, id)
		)`,
		columns: "id, user_id, item, total",
	}
	for i := range SeededOrders {
		t.rows = append(t.rows, []any{i + 1, i*i%SeededUsers + 1, items[i%len(items)], 250 + 175*(i%40)})
	}
	s, err := open(driver, dsn, t)
	return Orders{s}, err
}

// Order returns the order of that id, or ErrNotFound.
func (o Orders) Order(ctx context.Context, id int64) (*order.Order, error) {
	r := &order.Order{}
	err := o.db.QueryRowContext(ctx, `SELECT id, user_id, item, total FROM orders WHERE id = ?`, id).
		Scan(&r.Id, &r.UserId, &r.Item, &r.Total)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("store: order %d: %w", id, err)
	}
	return r, nil
}

// Count returns how many orders a user has.
func (o Orders) Count(ctx context.Context, userID int64) (n int64, err error) {
	err = o.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM orders WHERE user_id = ?`, userID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("store: orders of user %d: %w", userID, err)
	}
	return n, nil
}
