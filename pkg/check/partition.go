package check

// Partition gives the partition of a check in a zone with n of them:
// CRC-16/XMODEM of the id, as Redis Cluster counts slots, mod n.
func Partition(id string, n int) int {
	if n <= 1 {
		return 0
	}
	return int(crc16(id)) % n
}

// crc16 is CRC-16/XMODEM: polynomial 0x1021, start 0, most significant bit first.
func crc16(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		// One byte at once, without a table: x folds what the byte's eight
		// shifts would do.
		x := crc>>8 ^ uint16(s[i])
		x ^= x >> 4
		crc = crc<<8 ^ x<<12 ^ x<<5 ^ x
	}
	return crc
}
