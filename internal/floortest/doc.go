// Package floortest puts whole instances (probes, gate and driver) on a real etcd, and checks from etcd's own history what the
// floor promises. It knows the keys and values from their documentation alone, so that it can't share an error with the
// driver.
package floortest
