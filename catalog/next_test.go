package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-go/muster/naming"
)

var t0 = time.Unix(1_000_000, 0)

func list(addrs string) []*naming.Instance {
	var out []*naming.Instance
	for a := range strings.FieldsSeq(addrs) {
		out = append(out, &naming.Instance{Service: "svc", Network: "tcp", Addr: a, Weight: 10})
	}
	return out
}

func names(list []*naming.Instance) string {
	var out []string
	for _, i := range list {
		out = append(out, i.Addr)
	}
	return strings.Join(out, " ")
}

func (s state) view() []*naming.Instance { return merged(s.listed, s.suspects()) }

func TestNext(t *testing.T) {
	t.Parallel()
	// A step is an event at a time in seconds: an update "a b", one with leavers "a b -c", a dead suspect "!a", or "." for
	// the passing of time. want is the view after it, suspects in brackets.
	type step struct {
		at    int
		event string
		want  string
	}
	for name, steps := range map[string][]step{
		"nothing lost":                 {{0, "a b", "a b"}, {1, "a b c", "a b c"}},
		"one of three lapses":          {{0, "a b c", "a b c"}, {1, "a b", "a b"}},
		"half lapses":                  {{0, "a b c d", "a b c d"}, {1, "a b", "a b"}},
		"more than half lapses":        {{0, "a b c d e", "a b c d e"}, {1, "a b", "a b [c] [d] [e]"}},
		"all lapse":                    {{0, "a b", "a b"}, {1, "", "[a] [b]"}},
		"the only one lapses":          {{0, "a", "a"}, {1, "", "[a]"}},
		"all leave":                    {{0, "a b c", "a b c"}, {1, "-a -b -c", ""}},
		"more than half leave":         {{0, "a b c", "a b c"}, {1, "a -b -c", "a"}},
		"some leave, one lapses":       {{0, "a b c d", "a b c d"}, {1, "a b -c", "a b"}},
		"all but one leave, it lapses": {{0, "a b c", "a b c"}, {1, "-a -b", "[c]"}},
		"one by one, in a moment":      {{0, "a b c d", "a b c d"}, {1, "a b c", "a b c"}, {2, "a b", "a b"}, {3, "a", "a [b] [c] [d]"}},
		"one by one, in hours":         {{0, "a b c d", "a b c d"}, {1000, "a b c", "a b c"}, {2000, "a b", "a b"}, {3000, "a", "a"}, {4000, "", "[a]"}},
		"a lapse, then leaves":         {{0, "a b c", "a b c"}, {1, "a b", "a b"}, {2, "-a -b", ""}},
		"suspects come back":           {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {2, "b", "[a] b"}, {3, "a b", "a b"}},
		"a suspect leaves":             {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {2, "-a", "[b]"}},
		"a suspect is dead":            {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {2, "!b", "[a]"}, {3, "!a", ""}},
		"the time is up":               {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {60, ".", "[a] [b]"}, {61, ".", ""}},
		"the time is up at an update":  {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {61, "c", "c"}},
		"no second life":               {{0, "a b", "a b"}, {1, "", "[a] [b]"}, {50, "c", "[a] [b] c"}, {55, "", "[a] [b] [c]"}, {61, ".", "[c]"}},
		"left and listed":              {{0, "a b", "a b"}, {1, "a b -a", "a b"}},
		"a stranger leaves":            {{0, "a", "a"}, {1, "a -z", "a"}},
		"unsorted and twice":           {{0, "c a b a", "a b c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s state
			for n, st := range steps {
				now := t0.Add(time.Duration(st.at) * time.Second)
				switch {
				case st.event == ".":
					s = s.aged(now)
				case strings.HasPrefix(st.event, "!"):
					i := slices.IndexFunc(s.missing, func(m missing) bool { return m.inst.Addr == st.event[1:] })
					s = s.refused(s.missing[i].inst)
				default:
					s = s.updated(update(st.event), now, time.Minute)
				}
				got := names(s.view())
				for _, i := range s.suspects() {
					got = strings.Replace(got, i.Addr, "["+i.Addr+"]", 1)
				}
				if got != st.want {
					t.Fatalf("step %d, %q: view %q, want %q", n, st.event, got, st.want)
				}
			}
		})
	}
}

// update reads "a b -c": a and b are listed, c has left.
func update(s string) naming.Update {
	u := naming.Update{Snapshot: new(naming.Snapshot)}
	for a := range strings.FieldsSeq(s) {
		if left, ok := strings.CutPrefix(a, "-"); ok {
			u.Left = append(u.Left, left)
		} else {
			u.Snapshot.Instances = append(u.Snapshot.Instances, list(a)...)
		}
	}
	return u
}

func TestNextKeepsPointers(t *testing.T) {
	t.Parallel()
	s := state{}.updated(update("a b c"), t0, time.Minute)
	first := s.view()
	s = s.updated(update("a b c"), t0, time.Minute) // equal, and made anew by a careless driver
	if !slices.Equal(first, s.view()) {
		t.Error("equal instances are other pointers")
	}
	s = s.updated(update(""), t0, time.Minute)
	if !slices.Equal(first, s.view()) {
		t.Error("suspects are other pointers")
	}
	s = s.updated(update("a b c"), t0, time.Minute)
	if !slices.Equal(first, s.view()) {
		t.Error("suspects that came back are other pointers")
	}
	heavy := update("a b c")
	heavy.Snapshot.Instances[1].Weight = 20
	s = s.updated(heavy, t0, time.Minute)
	if v := s.view(); v[0] != first[0] || v[1] == first[1] || v[1].Weight != 20 {
		t.Error("a changed instance is not the new one, or took others along")
	}
}

func TestNextWithoutSuspects(t *testing.T) {
	t.Parallel()
	s := state{}.updated(update("a b"), t0, 0).updated(update(""), t0, 0)
	if len(s.view()) != 0 || !s.wake().IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestWakeIsWhenSomethingEnds(t *testing.T) {
	t.Parallel()
	s := state{}.updated(update("a b c"), t0, time.Minute)
	if !s.wake().IsZero() {
		t.Error("a wake for nothing")
	}
	s = s.updated(update("a b"), t0, time.Minute)
	if s.wake() != t0.Add(window) {
		t.Errorf("a lapse: %v", s.wake())
	}
	s = s.updated(update(""), t0, time.Minute)
	if s.wake() != t0.Add(time.Minute) {
		t.Errorf("suspects: %v", s.wake())
	}
	if s = s.aged(s.wake()); !s.wake().IsZero() || len(s.missing) != 0 {
		t.Errorf("after the end: %+v", s)
	}
}

// FuzzNext plays any sequence of events and compares with what may be true of each view.
func FuzzNext(f *testing.F) {
	f.Add([]byte("\x00\x07\x00\x01\x00\x00\x02\x01\x04"))
	f.Add([]byte("\x00\xff\x00\x00\x00\xff\x00\x01\x00\x03\x02\x00\x01\x09\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		const hold = 30 * time.Second
		var s state
		now := t0
		last := map[string]*naming.Instance{}
		for len(data) >= 3 {
			kind, bits, left := data[0], data[1], data[2]
			data = data[3:]
			before := s
			beforeView := slices.Clone(s.view())
			gone := ""
			switch kind % 4 {
			case 0, 1:
				u := naming.Update{Snapshot: new(naming.Snapshot)}
				for n := range 8 {
					a := fmt.Sprintf("h%d:1", n)
					if bits&(1<<n) != 0 {
						i := last[a]
						if i == nil || kind&0x40 != 0 {
							i = &naming.Instance{Addr: a, Weight: 1 + int(kind>>4)}
							last[a] = i
						}
						u.Snapshot.Instances = append(u.Snapshot.Instances, i)
					}
					if left&(1<<n) != 0 {
						u.Left = append(u.Left, a)
					}
				}
				s = s.updated(u, now, hold)
				if names(s.listed) != names(u.Snapshot.Instances) {
					t.Fatalf("listed %q, the registry says %q", names(s.listed), names(u.Snapshot.Instances))
				}
				for _, i := range s.suspects() {
					if slices.Contains(u.Left, i.Addr) {
						t.Fatalf("%s has left, and is kept", i.Addr)
					}
				}
				if len(u.Left) == 8 && len(s.suspects()) > 0 {
					t.Fatal("all have left, and suspects are kept")
				}
			case 2:
				now = now.Add(time.Duration(bits) * time.Second / 4)
				s = s.aged(now)
			case 3:
				if sus := s.suspects(); len(sus) > 0 {
					gone = sus[int(bits)%len(sus)].Addr
					s = s.refused(sus[int(bits)%len(sus)])
				}
			}
			v := s.view()
			for n, i := range v {
				if n > 0 && v[n-1].Addr >= i.Addr {
					t.Fatalf("not sorted or not unique: %q", names(v))
				}
				if i.Addr == gone {
					t.Fatalf("%s is dead, and is kept", gone)
				}
				if p, ok := search(beforeView, i.Addr); ok && beforeView[p] != i && beforeView[p].Equal(i) {
					t.Fatalf("%s is another pointer", i.Addr)
				}
			}
			for _, i := range s.suspects() {
				if contains(s.listed, i.Addr) {
					t.Fatalf("%s is listed and a suspect", i.Addr)
				}
			}
			for _, m := range s.missing {
				if m.suspect() && m.until.Sub(m.at) > hold+window {
					t.Fatalf("%s is kept for %v", m.inst.Addr, m.until.Sub(m.at))
				}
			}
			if !slices.Equal(before.view(), beforeView) {
				t.Fatal("the old state was modified")
			}
		}
	})
}

// TestLapsesThatAreSpread: one failure ends every lease, within a third of the leases' time to live. The list never empties,
// and with leases of up to a minute most of it stays.
func TestLapsesThatAreSpread(t *testing.T) {
	t.Parallel()
	const n = 60
	for ttl, least := range map[time.Duration]int{10 * time.Second: n / 2, time.Minute: n / 2, 5 * time.Minute: n / 10} {
		addrs := make([]string, n)
		for i := range addrs {
			addrs[i] = fmt.Sprintf("h%02d", i)
		}
		s := state{}.updated(update(strings.Join(addrs, " ")), t0, DefaultSuspectFor)
		smallest := n
		for i := range n {
			now := t0.Add(ttl / 3 * time.Duration(i+1) / n)
			s = s.aged(now).updated(update(strings.Join(addrs[i+1:], " ")), now, DefaultSuspectFor)
			smallest = min(smallest, len(s.view()))
		}
		t.Logf("leases of %v: at least %d of %d stay, %d at the end", ttl, smallest, n, len(s.view()))
		if smallest < least || len(s.view()) < least {
			t.Errorf("leases of %v: %d of %d stay, %d at the end; want %d", ttl, smallest, n, len(s.view()), least)
		}
	}
}
