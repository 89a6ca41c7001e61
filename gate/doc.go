// Package gate keeps an instance in the registry exactly while it is fit to serve.
//
// A [Gate] is one process's; each service that the process serves is one [Registration] in it, owned by one goroutine.
// That goroutine takes facts in (the probes of a health.Monitor, the registry's answers, an operator's order, a
// Deregister), asks a pure function what to do, and does one thing at a time. So no two requests of one instance race each
// other, and what has been deregistered can't come back.
//
// # States
//
// A registration is one of these at any time; health.Report shows it, each change is one line in the log, and drivers with
// a roster write it there.
//
//   - waiting: not listed yet. It joins the roster at once and is listed when every critical probe has passed.
//   - serving: listed.
//   - withdrawn: unfit, alive on the roster, not listed. Listed again when the probes pass.
//   - held: unfit, and listed all the same, marked as degraded, since too few others would serve without it (see
//     naming.Floor). It leaves when that has changed for three looks in a row.
//   - offline: an operator took it out. No probe and no floor bring it back.
//   - draining: it has been deregistered: it leaves the registry first and then serves for the drain delay, while clients
//     learn of it.
//   - gone: it has left.
//
// # The registry is away
//
// Register does not need the registry: it joins when that answers, and tries for ever, after a jittered pause that begins
// between 50 and 450 ms and grows to between 0.2 and 1.8 s. A membership that was lost is joined again at once. Each
// request gets three seconds. Nothing of this ends or blocks the server.
package gate
