// Package health answers one question at any moment without asking anybody: is this process fit to serve?
//
// A [Monitor] runs each [Probe] in the background, at its interval, and keeps one immutable [Report]. Reading the report
// runs no probe, takes no lock and allocates nothing, so it costs the same whether every dependency is well or one of
// them hangs.
//
// # What a probe can do to the process
//
// Nothing. At most one goroutine of a probe is in flight, however long it hangs; a check that ignores its context is
// recorded as a timeout at each interval and not started again until it returns, and what it returns then is dropped. A
// panic is a failure; its value is never shown. A scheduler that has died leaves no green answer: a probe of which no run
// has ended for three intervals and a timeout reads as stale, whoever looks.
//
// # What the process says
//
// A critical probe that is not ok makes the process failing, one that has no verdict yet makes it starting, an advisory
// one makes it degraded. What registers the process (a gate) attaches a [Source] and reports its lifecycle through it, so
// that a process which drains says so before it leaves, and one that is held, unfit but kept serving because too many
// others are unfit too, stays ready.
//
// The package imports the standard library alone.
package health
