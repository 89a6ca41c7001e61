package config

import (
	"strings"
	"testing"
)

var defaults = Config{RPCAddr: "127.0.0.1:8881", HTTPAddr: ":8081"}

func TestDefaults(t *testing.T) {
	t.Parallel()
	got, err := parse(defaults, map[string]string{"DEMO_HTTP_ADDR": ""})
	want := Config{RPCAddr: "127.0.0.1:8881", HTTPAddr: ":8081", DBDriver: SQLite}
	if err != nil || got != want {
		t.Fatalf("parse = %+v, %v; want %+v", got, err, want)
	}
}

func TestAllSet(t *testing.T) {
	t.Parallel()
	got, err := parse(defaults, map[string]string{
		"DEMO_RPC_ADDR": ":0", "DEMO_HTTP_ADDR": "[::1]:9", "DEMO_DB_DRIVER": "mysql",
		"DEMO_DB_DSN": "u:p@tcp(db:3306)/shop", "DEMO_REDIS_ADDR": "redis:6379",
	})
	want := Config{RPCAddr: ":0", HTTPAddr: "[::1]:9", DBDriver: MySQL, DBDSN: "u:p@tcp(db:3306)/shop", RedisAddr: "redis:6379"}
	if err != nil || got != want {
		t.Fatalf("parse = %+v, %v; want %+v", got, err, want)
	}
}

func TestErrorsNameTheVariable(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, c := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"rpc without port", map[string]string{"DEMO_RPC_ADDR": "localhost"}, "DEMO_RPC_ADDR"},
		{"rpc port too high", map[string]string{"DEMO_RPC_ADDR": ":65536"}, "DEMO_RPC_ADDR"},
		{"http port a name", map[string]string{"DEMO_HTTP_ADDR": ":http"}, "DEMO_HTTP_ADDR"},
		{"http port with sign", map[string]string{"DEMO_HTTP_ADDR": ":+80"}, "DEMO_HTTP_ADDR"},
		{"driver", map[string]string{"DEMO_DB_DRIVER": "MySQL"}, "DEMO_DB_DRIVER"},
		{"mysql without DSN", map[string]string{"DEMO_DB_DRIVER": "mysql"}, "DEMO_DB_DSN"},
		{"mysql with a bad DSN", map[string]string{"DEMO_DB_DRIVER": "mysql", "DEMO_DB_DSN": "u:" + secret + "@db"}, "DEMO_DB_DSN"},
		{"mysql without database", map[string]string{"DEMO_DB_DRIVER": "mysql", "DEMO_DB_DSN": "u:" + secret + "@tcp(db:3306)/"}, "DEMO_DB_DSN"},
		{"sqlite with a MySQL DSN", map[string]string{"DEMO_DB_DSN": "u:" + secret + "@tcp(db:3306)/shop"}, "DEMO_DB_DRIVER=mysql"},
		{"redis without port", map[string]string{"DEMO_REDIS_ADDR": "redis"}, "DEMO_REDIS_ADDR"},
		{"redis without host", map[string]string{"DEMO_REDIS_ADDR": ":6379"}, "DEMO_REDIS_ADDR"},
		{"redis port 0", map[string]string{"DEMO_REDIS_ADDR": "redis:0"}, "DEMO_REDIS_ADDR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(defaults, c.env)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one that names %s", err, c.want)
			}
			if strings.Contains(err.Error(), secret) {
				t.Fatalf("the error holds the password: %v", err)
			}
		})
	}
}
