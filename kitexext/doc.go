// Package kitexext puts Muster under Kitex.
package kitexext
