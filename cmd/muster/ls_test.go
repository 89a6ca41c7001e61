package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-go/muster/internal/floortest"
	"github.com/muster-go/muster/naming"
	"github.com/muster-go/muster/naming/etcd"
)

func addr(n int) string { return fmt.Sprintf("10.0.0.%d:8888", n) }

// fleet runs n instances of user-svc that serve, each with a dependency of its own.
func fleet(t *testing.T, node *floortest.Node, n int, floor naming.Floor) ([]*floortest.Instance, *floortest.Ledger) {
	t.Helper()
	l := floortest.Keep(t, node.Client(), floortest.NewAudit(etcd.DefaultRoot, floortest.Dev(), "user-svc", floor))
	all := make([]*floortest.Instance, n)
	for i := range all {
		all[i] = floortest.Run(t, floortest.Spec{Endpoint: node.Endpoint(), Addr: addr(i + 1), Floor: floor})
	}
	l.Wait(t, "all serve", func(a *floortest.Audit) bool {
		return a.All(n, func(m floortest.Member) bool { return m.Serving && m.State == "serving" })
	})
	return all, l
}

// state waits until an instance says that it is in a state.
func state(t *testing.T, l *floortest.Ledger, addr, state string) {
	t.Helper()
	l.Wait(t, addr+" is "+state, func(a *floortest.Audit) bool { return a.Members[addr].State == state })
}

// TestLs shows every state that instances may be in.
func TestLs(t *testing.T) {
	node := floortest.StartNode(t)
	at(t, node.Endpoint())
	all, l := fleet(t, node, 3, naming.Percent(50))
	cli := node.Client()
	for key, value := range map[string]string{
		"muster/dev/default/user-svc/10.0.0.9:1":  `{"network":"tcp","address":"10.0.0.9:1","weight":7,"tags":null}`, // registry-etcd's
		"muster/dev/default/user-svc/rubbish":     `rubbish`,
		"muster/dev/default/evil/10.0.0.9:2":      `{"address":"10.0.0.9:2","tags":{"muster.id":"\u001b[2Jgotcha"}}`,
		"muster/dev/other/user-svc/10.0.0.9:3":    `{"address":"10.0.0.9:3"}`,
		"muster/staging/default/foo/10.0.0.9:4":   `{"address":"10.0.0.9:4"}`,
		"muster/dev/.roster/default/bar/10.0.0.9": `{}`,
	} {
		if _, err := cli.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	all[0].Dependency.Set(true)
	state(t, l, addr(1), "withdrawn")
	command(t, "offline", "user-svc", addr(2), "--by", "al\x1bice").want(t, exitOK, "is offline")

	r := command(t, "ls").want(t, exitOK)
	table := lines(r.out)
	for addr, want := range map[string]string{
		addr(1):      "dev/default user-svc 10.0.0.1:8888 withdrawn no db=failing",
		addr(2):      "dev/default user-svc 10.0.0.2:8888 offline no -",
		addr(3):      "dev/default user-svc 10.0.0.3:8888 serving yes -",
		"10.0.0.9:1": "dev/default user-svc 10.0.0.9:1 - yes - - - - -",
	} {
		if !strings.HasPrefix(table[addr], want) {
			t.Errorf("%q, want %q", table[addr], want)
		}
	}
	if !strings.Contains(table[addr(2)], "offline by al?ice") || !strings.Contains(table[addr(3)], "v1.2.3") {
		t.Errorf("no order, or no version, in\n%s", r.out)
	}
	if len(table) != 5 || strings.Contains(r.out, "\x1b") {
		t.Errorf("%d instances, want 5 and nothing that steers a terminal:\n%q", len(table), r.out)
	}

	var j struct {
		Revision  int64
		Instances []row
	}
	if err := json.Unmarshal([]byte(command(t, "ls", "user-svc", "-o", "json").want(t, exitOK).out), &j); err != nil {
		t.Fatal(err)
	}
	if len(j.Instances) != 4 || j.Revision == 0 {
		t.Fatalf("%+v", j)
	}
	one, two, foreign := j.Instances[0], j.Instances[1], j.Instances[3]
	if one.State != "withdrawn" || one.Listed || !one.Unfit || fmt.Sprint(one.Failing) != "[db]" || one.Probes["db"] != "failing" ||
		one.ID == "" || one.Since.IsZero() || one.Version != "v1.2.3" || one.Namespace != "dev" || one.Group != "default" {
		t.Errorf("%+v", one)
	}
	if two.Offline == nil || two.Offline.By != "al\x1bice" || two.State != "offline" {
		t.Errorf("%+v", two)
	}
	if foreign.ID != "" || !foreign.Listed || foreign.Weight != 7 {
		t.Errorf("%+v", foreign)
	}

	command(t, "online", "user-svc", addr(2)).want(t, exitOK, "is online: serving")
	for _, i := range all[1:] {
		i.Dependency.Set(true)
	}
	for n := range all {
		state(t, l, addr(n+1), "held")
	}
	if got := lines(command(t, "ls", "user-svc").out)[addr(1)]; !strings.Contains(got, "held degraded db=failing") {
		t.Errorf("%q, want it held and degraded", got)
	}
}

// lines returns the table's lines by instance, blanks joined.
func lines(table string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Fields(line)
		if len(cells) > 2 && cells[0] != "NAMESPACE" {
			all[cells[2]] = strings.Join(cells, " ")
		}
	}
	return all
}
