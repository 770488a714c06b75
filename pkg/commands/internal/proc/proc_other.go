//go:build !linux

package proc

import "errors"

// liveIn refuses: the limits that programs run under are Linux's.
func (c *child) liveIn(string) error {
	return errors.New("programs run on Linux workers only")
}

func killGroup(int) {}
