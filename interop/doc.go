// Package interop tests Muster together with an unmodified kitex-contrib/registry-etcd v0.3.0, over a real etcd and real
// Kitex servers and clients. It is a module of its own, so that registry-etcd never enters the version selection of those
// who use Muster. There is nothing to import here.
package interop
