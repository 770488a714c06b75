//go:build !unix

package cli

import "time"

// ownCPU is not told by this system.
func ownCPU() time.Duration { return 0 }
