//go:build deps

package main

import (
	_ "github.com/alicebob/miniredis/v2"
	_ "github.com/cloudwego/hertz/pkg/app/server"
	_ "github.com/cloudwego/kitex/client"
	_ "github.com/cloudwego/kitex/server"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jedib0t/go-pretty/v6/table"
	_ "github.com/muster-go/muster/naming"
	_ "github.com/redis/go-redis/v9"
	_ "go.etcd.io/etcd/server/v3/embed"
	_ "golang.org/x/term"
	_ "modernc.org/sqlite"
)
