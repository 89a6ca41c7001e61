// Package namingtest tests programs that use a registry, and drivers that are one.
//
// [NewRegistry] is a registry in memory: one world that any number of processes share, each through its own [Driver]. It
// has every feature, takes its time from package time alone and does no input or output, so that it works inside a
// testing/synctest bubble; and it can be broken on purpose: requests refused, hanging or unanswered, leases lost, entries
// deleted or overwritten by strangers, instances taken out by an operator.
//
// [Run] is the conformance suite: what package naming promises, as tests that each driver runs.
//
// The package imports the standard library and package naming alone.
package namingtest
