package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	hertz "github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/ut"
	"github.com/cloudwego/kitex/pkg/kerrors"

	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/user"
)

func TestByID(t *testing.T) {
	t.Parallel()
	const secret = "10.1.2.3:3306"
	wrap := func(err error) error { return fmt.Errorf("buyer 3 at %s: %w", secret, err) }
	for _, c := range []struct {
		path   string
		err    error
		status int
		body   string
	}{
		{"/users/7", nil, http.StatusOK, `{"id":7,"name":"n","email":"e"}`},
		{"/users/0", nil, http.StatusBadRequest, `{"error":"the id must be a positive number"}`},
		{"/users/x", nil, http.StatusBadRequest, `{"error":"the id must be a positive number"}`},
		{"/users/99999999999999999999", nil, http.StatusBadRequest, `{"error":"the id must be a positive number"}`},
		{"/users/7", wrap(&user.UserNotFound{Id: 7}), http.StatusNotFound, `{"error":"no such user"}`},
		{"/users/7", wrap(&order.OrderNotFound{Id: 7}), http.StatusNotFound, `{"error":"no such order"}`},
		{"/users/7", wrap(kerrors.ErrRPCTimeout.WithCause(errors.New("2s"))), http.StatusGatewayTimeout, `{"error":"the other service takes too long"}`},
		{"/users/7", wrap(kerrors.ErrNoMoreInstance.WithCause(errors.New("none"))), http.StatusBadGateway, `{"error":"the other service does not answer"}`},
		{"/users/7", wrap(errors.New("disk full")), http.StatusInternalServerError, `{"error":"internal error"}`},
	} {
		t.Run(fmt.Sprint(c.path, " ", c.err), func(t *testing.T) {
			t.Parallel()
			var logged bytes.Buffer
			h := hertz.New()
			h.GET("/users/:id", ByID(slog.New(slog.NewTextHandler(&logged, nil)), func(_ context.Context, id int64) (*user.User, error) {
				return &user.User{Id: id, Name: "n", Email: "e"}, c.err
			}))
			r := ut.PerformRequest(h.Engine, http.MethodGet, c.path, nil).Result()
			if r.StatusCode() != c.status || string(r.Body()) != c.body {
				t.Fatalf("answer %d %s, want %d %s", r.StatusCode(), r.Body(), c.status, c.body)
			}
			if isOurs := c.status >= 500; isOurs != strings.Contains(logged.String(), secret) {
				t.Fatalf("status %d, logged %q: the cause of a 5xx, and of nothing else, belongs into the log", c.status, logged.String())
			}
		})
	}
}
