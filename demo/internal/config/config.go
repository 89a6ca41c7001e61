// Package config reads what the demo's services are told by their environment, beside Muster's own variables.
package config

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/go-sql-driver/mysql"
)

// Drivers of DEMO_DB_DRIVER.
const (
	SQLite = "sqlite"
	MySQL  = "mysql"
)

// Config is what one service of the demo runs with.
type Config struct {
	// RPCAddr is DEMO_RPC_ADDR, where Kitex listens: host:port, or :port for every interface. Port 0 takes a free one.
	RPCAddr string `env:"DEMO_RPC_ADDR"`
	// HTTPAddr is DEMO_HTTP_ADDR, where Hertz listens.
	HTTPAddr string `env:"DEMO_HTTP_ADDR"`
	// DBDriver is DEMO_DB_DRIVER: sqlite (default) or mysql.
	DBDriver string `env:"DEMO_DB_DRIVER"`
	// DBDSN is DEMO_DB_DSN. For sqlite a file's name; empty means a database in memory, of this process alone. For mysql
	// the driver's user:password@tcp(host:port)/database, which has to be set.
	DBDSN string `env:"DEMO_DB_DSN"`
	// RedisAddr is DEMO_REDIS_ADDR, host:port; empty means a Redis embedded in the process.
	RedisAddr string `env:"DEMO_REDIS_ADDR"`
}

// FromEnv reads the process's environment; a variable that is unset or empty keeps what def holds. An error names the
// variable, and never repeats a DSN, which holds a password.
func FromEnv(def Config) (Config, error) { return parse(def, env.ToMap(os.Environ())) }

func parse(def Config, environ map[string]string) (Config, error) {
	c := Config{}
	if err := env.ParseWithOptions(&c, env.Options{Environment: environ}); err != nil {
		return Config{}, fmt.Errorf("environment: %w", err)
	}
	for _, f := range []struct{ have, def *string }{
		{&c.RPCAddr, &def.RPCAddr},
		{&c.HTTPAddr, &def.HTTPAddr},
		{&c.DBDriver, &def.DBDriver},
		{&c.DBDSN, &def.DBDSN},
		{&c.RedisAddr, &def.RedisAddr},
	} {
		if *f.have == "" {
			*f.have = *f.def
		}
	}
	if c.DBDriver == "" {
		c.DBDriver = SQLite
	}
	return c, c.check()
}

func (c Config) check() error {
	if err := listenAddr("DEMO_RPC_ADDR", c.RPCAddr); err != nil {
		return err
	}
	if err := listenAddr("DEMO_HTTP_ADDR", c.HTTPAddr); err != nil {
		return err
	}
	switch c.DBDriver {
	case SQLite:
		if strings.Contains(c.DBDSN, "@tcp(") {
			return fmt.Errorf("DEMO_DB_DSN looks like one of MySQL, but DEMO_DB_DRIVER is sqlite: set DEMO_DB_DRIVER=mysql")
		}
	case MySQL:
		if c.DBDSN == "" {
			return fmt.Errorf("DEMO_DB_DSN is unset: DEMO_DB_DRIVER=mysql needs user:password@tcp(host:3306)/database")
		}
		// The parser's own error may quote the DSN, password and all.
		if p, err := mysql.ParseDSN(c.DBDSN); err != nil || p.DBName == "" {
			return fmt.Errorf("DEMO_DB_DSN: want user:password@tcp(host:3306)/database")
		}
	default:
		return fmt.Errorf("DEMO_DB_DRIVER=%q: want %s or %s", c.DBDriver, SQLite, MySQL)
	}
	if c.RedisAddr != "" {
		host, port, err := net.SplitHostPort(c.RedisAddr)
		if err != nil || host == "" || !isPort(port, 1) {
			return fmt.Errorf("DEMO_REDIS_ADDR=%q: want host:port, or nothing for an embedded one", c.RedisAddr)
		}
	}
	return nil
}

func listenAddr(name, addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil || !isPort(port, 0) {
		return fmt.Errorf("%s=%q: want host:port or :port, the port from 0 (any free one) to 65535", name, addr)
	}
	return nil
}

func isPort(s string, least int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= least && n <= 65535 && strconv.Itoa(n) == s
}
