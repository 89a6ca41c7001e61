// Package naming holds the words that the rest of Muster is written in: what an [Instance] is, where it lives
// ([Namespace]), what a client sees of a service ([Snapshot]), and the contract between Muster and a registry
// ([Registrar], [Membership], [Watcher]).
//
// A driver is a type that implements Registrar, Watcher or both. github.com/muster-go/muster/naming/etcd is the default
// one; github.com/muster-go/muster/naming/namingtest holds the conformance suite that each driver runs, and a driver in
// memory for tests.
//
// # What a driver promises
//
//  1. An instance that has joined is alive on the roster; it takes traffic only between Publish and Withdraw.
//  2. A membership ends by Leave or by loss. Done is closed in both cases, and Err says which; it never comes back by
//     itself. Joining again is the caller's decision, so that one place owns the retries.
//  3. Whatever a membership wrote is removed by Leave, by Close of the driver, or at the latest when the process's lease
//     runs out. What somebody else wrote is never removed or overwritten silently.
//  4. A watcher reports a first complete view, then each change, in the registry's order, the latest value winning. It
//     never reports an empty view because the registry was out of reach.
//  5. Nothing is asked of the registry while nothing changes, but what keeps the lease and the connection alive.
//  6. Every method takes its limit from its context and returns soon after that has ended.
//
// The package imports the standard library alone. All its values are immutable once handed over: maps and slices inside
// them must not be modified.
package naming
