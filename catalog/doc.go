// Package catalog is the client's side of Muster: what this process knows of the services that it calls.
//
// A [Catalog] keeps one watch for each service in use, however many clients share it, and answers [Catalog.Lookup] from
// memory. It knows nothing of RPC frameworks; github.com/muster-go/muster/kitexext puts it under Kitex's clients.
//
// # What it promises
//
//  1. Lookup waits for nothing but the first view of a service, for [Options.FirstWait] at most, counted from the start of
//     its watch. Afterwards it takes no lock, allocates nothing and asks nobody.
//  2. While the registry is away the last view stays, without limit. [Catalog.Link] says for how long it has been away,
//     and [Catalog.Age] how old a view is.
//  3. An instance that announced its leave is gone with the next view, even where it was the last one.
//  4. Where instances vanish without a word, and more of them within ten seconds than remain, the lost ones are suspects:
//     they stay in the view for [Options.SuspectFor] at most, and only while they accept a connection. A registry that
//     forgets what it knew thus empties nobody's list, and a ghost does not stay.
//  5. Views are immutable, sorted by address without duplicates, and an instance that has not changed is the same pointer
//     in the next view, so that the difference of two views is a merge ([Diff]).
//  6. A watch without a lookup or a subscriber ends after [Options.Idle], and no more than [Options.MaxWatches] run. Where
//     the registry does not answer a watch that begins, what was known before serves after half of FirstWait: what this
//     process knew before the service was idle, or the copy in [Options.CacheDir]. The registry's answer replaces it; what
//     that answer lacks counts as vanished without a word, as in 4.
//  7. [Catalog.Close] ends and joins every goroutine of the catalog.
package catalog
