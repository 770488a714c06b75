package snmpclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redpoll/redpoll/pkg/commands/internal/tools"
)

// Version is a version of the protocol. In JSON 1, 2 and 3 are read as well as
// "1", "2c" and "3".
type Version string

// The versions. Passwords of V1 and V2c, the communities, cross the network in
// the clear.
const (
	V1  Version = "1"
	V2c Version = "2c"
	V3  Version = "3"
)

// UnmarshalJSON reads a version, as text or as a number.
func (v *Version) UnmarshalJSON(text []byte) error {
	switch name := strings.ToLower(strings.TrimPrefix(string(bytes.Trim(text, `"`)), "v")); name {
	case "1", "3":
		*v = Version(name)
	case "2", "2c":
		*v = V2c
	default:
		return fmt.Errorf("want 1, 2c or 3, not %.32s", text)
	}
	return nil
}

// Community is the password of versions 1 and 2c: a reference to a secret, or
// "public", the well-known default that is no secret. The zero value is public.
type Community struct {
	Secret tools.Secret
}

// IsZero says that the community is public.
func (c Community) IsZero() bool { return c.Secret.IsZero() }

// MarshalJSON writes the reference, or "public".
func (c Community) MarshalJSON() ([]byte, error) {
	if c.IsZero() {
		return []byte(`"public"`), nil
	}
	return c.Secret.MarshalJSON()
}

// UnmarshalJSON reads "public" or {"secret":"name"}, nothing else.
func (c *Community) UnmarshalJSON(text []byte) error {
	var plain string
	if json.Unmarshal(text, &plain) == nil && text[0] == '"' {
		if plain != publicCommunity {
			return errors.New(`only the community "public" is taken in plain text: put any other into a file of the workers' -secrets directory and write {"secret":"file name"} here`)
		}
		c.Secret = tools.Secret{}
		return nil
	}
	return c.Secret.UnmarshalJSON(text)
}

const publicCommunity = "public"
