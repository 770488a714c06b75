package snmp

import "github.com/redpoll/redpoll/pkg/commands/internal/speed"

// Speed is a size of a line in bits per second. It is written as people do:
// "1Gb", "1Gbit/s", "1Gbps", "100M", "1000000" in bits; "125MB", "125MB/s" in
// bytes. K, M, G and T are powers of 1000, Ki, Mi, Gi and Ti of 1024.
type Speed = speed.Speed

const maxSpeed = speed.Max

// ParseSpeed reads a Speed.
func ParseSpeed(text string) (Speed, error) { return speed.Parse(text) }
