// Package web holds what the JSON APIs of the demo's services have in common.
package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/kitex/pkg/kerrors"

	"github.com/muster-go/muster/demo/kitex_gen/order"
	"github.com/muster-go/muster/demo/kitex_gen/user"
)

// ByID returns the handler of a path that ends with ":id": it answers with what call returns for that id, as JSON.
func ByID[T any](log *slog.Logger, call func(ctx context.Context, id int64) (T, error)) app.HandlerFunc {
	return func(ctx context.Context, c *app.RequestContext) {
		id, err := strconv.ParseInt(c.Param("id"), 10, 64)
		if err != nil || id < 1 {
			refuse(c, http.StatusBadRequest, "the id must be a positive number")
			return
		}
		v, err := call(ctx, id)
		if err != nil {
			status, text := classify(err)
			if status >= http.StatusInternalServerError {
				log.WarnContext(ctx, "request failed", "path", string(c.Path()), "status", status, "error", err)
			}
			refuse(c, status, text)
			return
		}
		c.JSON(http.StatusOK, v)
	}
}

// classify keeps the error's own text, which may name addresses and worse, inside.
func classify(err error) (status int, text string) {
	var (
		noUser  *user.UserNotFound
		noOrder *order.OrderNotFound
		kitex   *kerrors.DetailedError // kerrors.IsKitexError does not look into wrapped ones
	)
	switch {
	case errors.As(err, &noUser):
		return http.StatusNotFound, "no such user"
	case errors.As(err, &noOrder):
		return http.StatusNotFound, "no such order"
	case kerrors.IsTimeoutError(err) || errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, "the other service takes too long"
	case errors.As(err, &kitex):
		return http.StatusBadGateway, "the other service does not answer"
	}
	return http.StatusInternalServerError, "internal error"
}

func refuse(c *app.RequestContext, status int, text string) {
	c.JSON(status, map[string]string{"error": text})
}
