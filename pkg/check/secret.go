package check

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Secret is a reference to a secret in a check's params or a handler's
// settings, written {"secret":"name"} (redis-cli: params.password.secret name).
// It never holds the value: the worker resolves it when it is needed.
type Secret struct {
	Name string
}

// SecretTargets ends the name of the file that lists where a secret may be
// sent, so that no secret may be named so.
const SecretTargets = ".targets"

const maxSecretName = 253 // what Kubernetes allows for a key of a Secret

// errPlainSecret never quotes what it refuses.
var errPlainSecret = errors.New(`a secret in plain text is refused: put it into a file of the workers' -secrets directory and write {"secret":"file name"} here`)

// IsZero says that no secret is named.
func (s Secret) IsZero() bool { return s.Name == "" }

// String gives the reference, never the value.
func (s Secret) String() string { return "secret:" + s.Name }

// MarshalJSON writes the reference; null when there is none.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]string{"secret": s.Name})
}

// UnmarshalJSON reads {"secret":"name"} and nothing else.
func (s *Secret) UnmarshalJSON(text []byte) error {
	if bytes.Equal(text, []byte("null")) {
		*s = Secret{}
		return nil
	}
	var ref struct {
		Secret *string `json:"secret"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&ref); err != nil || ref.Secret == nil {
		return errPlainSecret
	}
	if !ValidSecretName(*ref.Secret) {
		return fmt.Errorf("secret name: want 1 to %d characters of A-Z a-z 0-9 . _ -, not starting with a dot, not ending in %s",
			maxSecretName, SecretTargets)
	}
	s.Name = *ref.Secret
	return nil
}

// ValidSecretName says whether name can be the name of a secret.
func ValidSecretName(name string) bool {
	if name == "" || len(name) > maxSecretName || name[0] == '.' || strings.HasSuffix(name, SecretTargets) {
		return false
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// minRedact is the length from which on a secret is looked for: a shorter one
// stands in every other word, and marking it there would give it away.
const minRedact = 6

// SecretForms lists how the value of a secret may stand in what a target says
// back: as it is, in hex, and the part of its base64 that does not depend on
// what stands beside it. A value that is too short to be looked for has none.
func SecretForms(value string) []string {
	if len(value) < minRedact {
		return nil
	}
	lower := hex.EncodeToString([]byte(value))
	forms := []string{value, lower, strings.ToUpper(lower)}
	for skip := range 3 {
		part := value[skip:]
		part = part[:len(part)/3*3]
		if len(part) < minRedact {
			continue
		}
		std := base64.StdEncoding.EncodeToString([]byte(part))
		forms = append(forms, std)
		if url := base64.URLEncoding.EncodeToString([]byte(part)); url != std {
			forms = append(forms, url)
		}
	}
	return forms
}
