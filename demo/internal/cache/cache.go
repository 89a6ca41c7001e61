// Package cache puts a Redis before the demo's databases.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ttl is how long a row may be out of date.
const ttl = 10 * time.Second

// Cache is a Redis, embedded or a real one. It is safe for concurrent use.
type Cache struct {
	rdb      *redis.Client
	embedded *miniredis.Miniredis
	prefix   string
	log      *slog.Logger
}

// Open returns a cache in the Redis at addr, its keys beginning with prefix; an empty addr starts one inside the process.
// A Redis that is away is no error: the probe says so.
func Open(addr, prefix string, log *slog.Logger) (*Cache, error) {
	c := &Cache{prefix: prefix, log: log}
	if addr == "" {
		c.embedded = miniredis.NewMiniRedis()
		c.embedded.ClockTTL(true)
		if err := c.embedded.Start(); err != nil {
			return nil, fmt.Errorf("cache: embedded Redis: %w", err)
		}
		addr = c.embedded.Addr()
	}
	c.rdb = redis.NewClient(&redis.Options{
		Addr: addr,
		// A cache that is slow is worse than none: fail soon, and read the database.
		DialTimeout: 250 * time.Millisecond, ReadTimeout: 250 * time.Millisecond, WriteTimeout: 250 * time.Millisecond,
		PoolTimeout: 250 * time.Millisecond,
		MaxRetries:  -1, DialerRetries: 1, ContextTimeoutEnabled: true,
		DisableIdentity:          true, // the demo asks nothing of Redis that an old one lacks
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return c, nil
}

// Ping asks Redis through the same pool as the calls. It is the probe "redis".
func (c *Cache) Ping(ctx context.Context) error { return c.rdb.Ping(ctx).Err() }

// Close closes the connections, and ends an embedded Redis.
func (c *Cache) Close() error {
	err := c.rdb.Close()
	if c.embedded != nil {
		c.embedded.Close()
	}
	return err
}

// Through returns what is cached under key or, where that is nothing, what load returns, which it then caches. It fails
// only where load does: without its Redis an instance is slow, and its probe takes it out of the registry, but the calls
// that reach it until then are answered.
func Through[T any](ctx context.Context, c *Cache, key string, load func(context.Context) (T, error)) (T, error) {
	key = c.prefix + key
	raw, err := c.rdb.Get(ctx, key).Bytes()
	if err == nil {
		var v T
		if err = json.Unmarshal(raw, &v); err == nil {
			return v, nil
		}
	}
	isAway := err != nil && !errors.Is(err, redis.Nil)
	if isAway {
		c.log.DebugContext(ctx, "cache: read failed", "key", key, "error", err)
	}
	v, err := load(ctx)
	if err != nil || isAway {
		return v, err // a Redis that has just failed to read is not asked to write
	}
	if raw, err = json.Marshal(v); err != nil {
		return v, fmt.Errorf("cache: %s: %w", key, err)
	}
	if err := c.rdb.Set(ctx, key, raw, ttl).Err(); err != nil {
		c.log.DebugContext(ctx, "cache: write failed", "key", key, "error", err)
	}
	return v, nil
}
