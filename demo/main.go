// Command demo is Muster's tour: "go run ./demo" starts a real etcd and several instances of two services, breaks what
// can break, and shows what it measures. With -stay all of it stays until Ctrl-C. It needs nothing but Go.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/muster-go/muster/demo/internal/beside"
	"github.com/muster-go/muster/demo/internal/tour"
)

func main() {
	// The tour starts this program again for each of its processes.
	if code, ok := tour.Child(os.Args[1:]); ok {
		os.Exit(code)
	}
	stay := flag.Bool("stay", false, "leave everything running afterwards, until Ctrl-C, and print what to try")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: demo [-stay]\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := beside.Signals()
	code := tour.Run(ctx, os.Stdout, *stay)
	cancel()
	os.Exit(code)
}
