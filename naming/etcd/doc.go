// Package etcd is Muster's default driver: it keeps registrations in etcd and watches them there.
//
// # Layout
//
// Everything of a namespace is under one prefix, so that one etcd role grant walls it off:
//
//	<root>/<namespace>/<group>/<service>/<host:port>            serving, in the format of kitex-contrib/registry-etcd
//	<root>/<namespace>/.roster/<group>/<service>/<host:port>    alive, serving or not
//	<root>/<namespace>/.guard/<group>/<service>                 what the floor's transactions compare
//	<root>/<namespace>/.operator/<group>/<service>/<host:port>  an operator's order to serve nobody
//	<root>/<namespace>/.claim/<group>/<service>/<host:port>     another live process's claim to that address, which waits
//
// An unmodified registry-etcd resolver with the prefix <root>/<namespace>/<group> sees what Muster registers, and a Muster
// client sees what an unmodified registry-etcd registers there.
//
// # Guarantees
//
//  1. One client, one lease and one keepalive stream for each Driver, however many instances and services it serves.
//     Besides, an operator's order with an end has a lease, and so has a claim that waits for an address.
//  2. Every write is fenced by its owner in a transaction: nothing that another process wrote is deleted or overwritten,
//     but the address that a new process claims.
//  3. A lease is given up only when etcd says that it is gone. While etcd is out of reach the driver keeps trying to renew
//     it, for ever.
//  4. A withdrawal or leave is announced by a mark in the serving value before the key is deleted; but while etcd is out of
//     space, when it refuses every write and only deletes, the key just goes.
//  5. A deleted or overwritten key of an own instance is noticed by watch and mended at once.
//  6. When the cluster's data has been wiped or restored, which etcd's client does not notice, each view is read anew; and
//     once, within five seconds, whenever etcd was away, since nothing may tell.
//  7. Values that are no instances are skipped, counted and logged at a bounded rate.
//
// A Driver is safe for concurrent use. It connects at its first use, in the background, and every call is bounded by its
// context.
package etcd
