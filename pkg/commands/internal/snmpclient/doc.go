// Package snmpclient talks SNMP for the commands that need it: a Pool of
// sessions of which no two runs ever share one, GET in chunks, walks with
// GETBULK under caps, and interfaces by name. The protocol itself is gosnmp's;
// this package bounds what a device can make of it.
package snmpclient
