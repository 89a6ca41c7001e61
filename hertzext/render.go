package hertzext

import (
	"github.com/bytedance/sonic"
	"github.com/cloudwego/hertz/pkg/protocol/consts"

	"github.com/muster-go/muster/health"
)

// answer is one encoded answer. It is immutable.
type answer struct {
	code   int
	status []byte // for X-Health-Status; nil for none
	body   []byte
}

// answers are all the encoded answers of one revision of the report.
type answers struct {
	revision   uint64
	all, ready answer
	probes     map[string]*answer
}

func (a *answers) find(which endpoint, probe []byte, notFound *answer) *answer {
	switch which {
	case all:
		return &a.all
	case readyz:
		return &a.ready
	}
	if p := a.probes[string(probe)]; p != nil {
		return p
	}
	return notFound
}

// plain returns the answers for a report, encoding them if its revision is new. Two requests may both encode; whichever
// stores last, the next request with another revision encodes again.
func (h *handler) plain(r *health.Report) *answers {
	if a := h.cached.Load(); a != nil && a.revision == r.Revision {
		return a
	}
	a := encodePlain(r)
	h.cached.Store(a)
	return a
}

func encodePlain(r *health.Report) *answers {
	words, critical := map[string]health.Word{}, map[string]health.Word{}
	a := &answers{revision: r.Revision, probes: make(map[string]*answer, len(r.Probes))}
	for i := range r.Probes {
		p := &r.Probes[i]
		words[p.Name] = p.Word
		if p.Level == health.Critical {
			critical[p.Name] = p.Word
		}
		a.probes[p.Name] = probeAnswer(p.Word, map[string]health.Word{p.Name: p.Word})
	}
	status := []byte(r.Status.String())
	a.all = answer{code: code(r.Ready), status: status, body: encode(words)}
	a.ready = answer{code: code(r.Ready), status: status, body: encode(critical)}
	return a
}

// probeAnswer returns the answer about one probe alone.
func probeAnswer(w health.Word, body any) *answer {
	s := health.StatusFailing
	switch w {
	case health.WordOK, health.WordDisabled: // a disabled probe counts for nothing, here too
		s = health.StatusOK
	case health.WordDegraded:
		s = health.StatusDegraded
	case health.WordUnknown:
		s = health.StatusStarting
	}
	return &answer{code: code(w.Good() || w == health.WordDisabled), status: []byte(s.String()), body: encode(body)}
}

// encode returns v as JSON, keys sorted.
func encode(v any) []byte {
	b, err := sonic.ConfigStd.Marshal(v)
	if err != nil { // nothing that is encoded here can fail
		return []byte("{}")
	}
	return b
}

// fixed are the answers and header fields that never change. They are the handler's own, since Hertz wants bytes, and
// bytes in a package's variable could be written to.
type fixed struct {
	alive, dead, started, starting, notFound, notAllowed answer

	json, cacheControl, noStore, contentTypeOptions, nosniff, healthStatus, allow, methods []byte
}

func newFixed() *fixed {
	word := func(code int, status health.Status, key string, w health.Word) answer {
		return answer{code: code, status: []byte(status.String()), body: encode(map[string]health.Word{key: w})}
	}
	return &fixed{
		alive:      word(consts.StatusOK, health.StatusOK, "scheduler", health.WordOK),
		dead:       word(consts.StatusServiceUnavailable, health.StatusFailing, "scheduler", health.WordStale),
		started:    word(consts.StatusOK, health.StatusOK, "startup", health.WordOK),
		starting:   word(consts.StatusServiceUnavailable, health.StatusStarting, "startup", health.WordUnknown),
		notFound:   answer{code: consts.StatusNotFound, body: []byte(`{"error":"no such probe"}`)},
		notAllowed: answer{code: consts.StatusMethodNotAllowed, body: []byte(`{"error":"method not allowed"}`)},

		json:               []byte("application/json; charset=utf-8"),
		cacheControl:       []byte("Cache-Control"),
		noStore:            []byte("no-store"),
		contentTypeOptions: []byte("X-Content-Type-Options"),
		nosniff:            []byte("nosniff"),
		healthStatus:       []byte("X-Health-Status"),
		allow:              []byte("Allow"),
		methods:            []byte("GET, HEAD"),
	}
}
