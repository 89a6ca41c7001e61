// Package ends finds what two lists have in common at their ends. One view of a service differs from the one before in a few
// places; the rest need not be looked at, which for 10,000 instances is most of the cost of a change.
package ends

// Common returns how many elements a and b begin with alike, and how many of the others they end with alike.
func Common[E comparable](a, b []E) (front, back int) {
	n := min(len(a), len(b))
	for front < n && a[front] == b[front] {
		front++
	}
	for back < n-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front, back
}
