// Package kitexext puts Muster under Kitex: servers that are in the registry exactly while they are fit, and clients that
// know of a change within milliseconds.
//
//	svr := userservice.NewServer(impl, kitexext.WithRegistry(m.Gate, kitexext.Service("user-svc")))
//	cli := userservice.MustNewClient("user-svc", kitexext.WithResolver(m.Catalog))
//
// [WrapRegistry] and [WrapResolver] let any registry that was written for Kitex take the place of Muster's own driver.
// [SelfCall] makes a probe of a call through the server's own listener. [LogHandler] writes Muster's log to Kitex's logger.
//
// # What a client does
//
//  1. The view that the catalog has is what picks are made of. A change in the registry is pushed to the client's balancer
//     as soon as the catalog has it; Kitex's ticks and what its cache holds make no difference to a pick.
//  2. No call waits for the registry, but for the first view of its service: until the call's own timeout, or the
//     catalog's FirstWait (opening a stream: FirstWait). Where nothing is known of a service, calls fail with Kitex's
//     ErrServiceDiscovery at once.
//  3. Where every instance has left, calls fail with Kitex's ErrNoMoreInstance; none goes to one that has left.
//  4. Every option of Kitex's stays as it is, before and after WithResolver: balancers, lbcache options, retries, circuit
//     breakers, streaming. The default balancer is shared by all clients of a catalog, another by nobody unless its lbcache
//     options say Cacheable, as in Kitex.
//  5. Kitex's change events (discovery.ChangeEventName), on which it closes pooled connections, fire one to two seconds
//     after the push: calls that are on their way to an instance that has left keep their connection. What comes back
//     within that time is not reported as removed.
//  6. Degraded instances are picked as any other; their tag [TagDegraded] is "true". Tags are Instance.Tag's.
//  7. Clients of two catalogs never mix, not even where the second one has the scope of a closed first.
//  8. What a client uses ends with its Close: goroutines are joined. A service that it has not called for one to two minutes
//     costs nothing but the catalog's watch, which ends after the catalog's own idle time. After the catalog's Close calls go
//     on with what was known last. Kitex itself keeps one idle goroutine for each balancer that is not shared, for ever.
//
// A stream is opened on an instance of the latest view, and stays with it to its end. Clients made by the generated
// NewStreamClient take [WithStreamResolver].
//
// # What a balancer costs
//
// A balancer is rebuilt at each change of its service, in a goroutine of its own. After a rebuild that took longer than
// 0.1 ms the next one waits twice as long as that took, and brings the latest list. For 10,000 instances Kitex's balancers
// took, on one machine, with equal and with unequal weights:
//
//	weighted round robin (the default)           0.2 ms     28 ms
//	interleaved weighted round robin             0.1 ms    1.2 ms
//	weighted random                              0.1 ms    0.1 ms, but a pick looks through half the list
//	weighted random with the alias method        0.1 ms    0.4 ms
//	consistent hash, 100 nodes for each weight   2000 ms   1000 ms
//
// So a large service with unequal weights is best served by loadbalance.NewWeightedRandomWithAliasMethodBalancer or the
// interleaved one. While a rebuild runs or is waited for, what has left is skipped all the same; balancers that
// recycle their pickers, as the consistent hash does, can't be helped that way and lag by the rebuild.
//
// # What is not pushed
//
// Two combinations leave Kitex alone with the resolver. Then it polls, in memory, and learns of a change after its
// RefreshInterval, 5 s by default, and up to 2 s: WithResolver inside a client.TailOption, and a later TailOption or a proxy
// (client.WithProxy) that replaces the balancer.
package kitexext
