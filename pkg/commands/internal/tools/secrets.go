package tools

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

const (
	listSuffix = check.SecretTargets
	maxSecret  = 64 << 10    // bytes of a value or a list
	reread     = time.Second // how old a value may be
)

// Secrets is a directory of secrets, laid out as Kubernetes mounts one:
//
//	web-login           the value; one newline at the end is cut off
//	web-login.targets   where it may be sent, one entry a line: host names,
//	                    names with * for a part between dots, addresses, CIDRs;
//	                    a line of a single * means anywhere; # starts a comment
//	.targets            the list for secrets without one of their own
//
// A secret that no list covers is sent nowhere. Changes are seen within a
// second. It is safe for concurrent use.
type Secrets struct {
	dir string

	mu   sync.Mutex // guards read
	read map[string]loaded
}

// loaded is a secret as it was read from its files.
type loaded struct {
	at      time.Time
	value   string
	forms   []string // of value, for Redacting
	targets targetList
}

// OpenSecrets uses the directory dir, which must exist. Its files are read
// when they are needed.
func OpenSecrets(dir string) (*Secrets, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("secrets: %s is not a directory", dir)
	}
	return &Secrets{dir: dir, read: map[string]loaded{}}, nil
}

// Lookup gives the value of the secret name if it may be sent to target, a
// host name or an address. See Tools.Secret.
func (s *Secrets) Lookup(name, target string) (string, error) {
	if !check.ValidSecretName(name) {
		return "", fmt.Errorf("secret %.64q: not a name", name)
	}
	l, err := s.load(name)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	if !l.targets.allows(target) {
		return "", fmt.Errorf("secret %s: may not be sent to %.253q: %s%s does not list it", name, target, name, listSuffix)
	}
	return l.value, nil
}

func (s *Secrets) load(name string) (loaded, error) {
	now := time.Now()
	s.mu.Lock()
	l, ok := s.read[name]
	s.mu.Unlock()
	if ok && now.Sub(l.at) < reread {
		return l, nil
	}
	l, err := s.readFiles(name)
	l.at = now
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.read, name)
		return loaded{}, err
	}
	if before, ok := s.read[name]; ok && before.value == l.value {
		l.forms = before.forms
	} else if ok { // runs that began before still know the old one
		l.forms = append(l.forms, check.SecretForms(before.value)...)
	}
	s.read[name] = l
	return l, nil
}

func (s *Secrets) readFiles(name string) (loaded, error) {
	value, err := s.readFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{}, errors.New("this worker has no such secret")
	}
	if err != nil {
		return loaded{}, err
	}
	value = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
	if value == "" {
		return loaded{}, errors.New("its file is empty")
	}
	list, err := s.readFile(name + listSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		list, err = s.readFile(listSuffix)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return loaded{}, err
	}
	targets, err := parseTargets(list)
	if err != nil {
		return loaded{}, err
	}
	return loaded{value: value, forms: check.SecretForms(value), targets: targets}, nil
}

// readFile reads a file of the directory. Its name was checked before: it has
// no slash, so it cannot leave the directory but by the operator's own links.
func (s *Secrets) readFile(name string) (string, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("%s is larger than %d bytes", name, maxSecret)
	}
	return string(b), nil
}
