//go:build !unix

package rig

import "errors"

// Freeze and Thaw are not to be had here.
func (c *Child) Freeze() error { return errors.ErrUnsupported }
func (c *Child) Thaw() error   { return errors.ErrUnsupported }
