package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// instruction is a line of a Dockerfile.
type instruction struct{ word, args string }

// stage is what stands between one FROM and the next.
type stage struct {
	from, name string
	list       []instruction
}

// stages takes a Dockerfile apart.
func stages(text string) (list []stage) {
	text = regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		word, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" {
			continue
		}
		in := instruction{strings.ToUpper(word), strings.TrimSpace(args)}
		if in.word == "FROM" {
			f := strings.Fields(regexp.MustCompile(`--\S+\s+`).ReplaceAllString(in.args, ""))
			s := stage{from: f[0]}
			if len(f) == 3 {
				s.name = f[2]
			}
			list = append(list, s)
			continue
		}
		if len(list) == 0 {
			list = append(list, stage{})
		}
		list[len(list)-1].list = append(list[len(list)-1].list, in)
	}
	return list
}

// all gives the arguments of an instruction in a stage.
func (s stage) all(word string) (list []string) {
	for _, in := range s.list {
		if in.word == word {
			list = append(list, in.args)
		}
	}
	return list
}

// judgeDockerfile gives what is wrong with the image. sent says whether the
// project has a path and the build gets it.
func judgeDockerfile(text string, sent func(path string) bool) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	list := stages(text)
	if len(list) != 2 || list[0].name != "build" || !strings.HasPrefix(list[0].from, "golang:") {
		return []string{fmt.Sprintf("want a stage build on golang and one more, got %+v", list)}
	}
	build, final := list[0], list[1]
	if final.from != "scratch" {
		fault("the image is made from %s, want scratch", final.from)
	}
	for _, word := range []string{"RUN", "CMD", "SHELL", "ADD", "VOLUME", "WORKDIR"} {
		if len(final.all(word)) > 0 {
			fault("the image has %s", word)
		}
	}
	if user := strings.Join(final.all("USER"), " "); user != "65532:65532" {
		fault("the user is %q, want 65532:65532: Kubernetes has to see that it is not root", user)
	}
	var entry []string
	if err := json.Unmarshal([]byte(strings.Join(final.all("ENTRYPOINT"), "\n")), &entry); err != nil || len(entry) != 1 {
		fault("ENTRYPOINT %q: want a list, not a line for a shell", final.all("ENTRYPOINT"))
	}
	if env := strings.Join(final.all("ENV"), " "); env != "PATH=/usr/local/bin" {
		fault("ENV %q: nobody finds the programs", env)
	}
	judgeCopies(build, final, sent, fault)
	judgeBuild(build, fault)
	return faults
}

// judgeCopies: what is copied is there.
func judgeCopies(build, final stage, sent func(string) bool, fault reporter) {
	for _, args := range append(build.all("COPY"), final.all("COPY")...) {
		f := strings.Fields(args)
		if from, ok := strings.CutPrefix(f[0], "--from="); ok {
			if from != build.name || !slices.Contains([]string{"/etc/ssl/certs/ca-certificates.crt", "/out/"}, f[1]) {
				fault("COPY %s: the stage build does not make it", args)
			}
			continue
		}
		for _, source := range f[:len(f)-1] {
			if !sent(source) {
				fault("COPY %s: %s is not there, or .dockerignore keeps it out", args, source)
			}
		}
	}
	var copied []string
	for _, args := range final.all("COPY") {
		copied = append(copied, strings.Fields(args)[1])
	}
	if !slices.Contains(copied, "/etc/ssl/certs/ca-certificates.crt") || !slices.Contains(copied, "/out/") {
		fault("the image lacks programs or certificates")
	}
}

// buildLine finds the call of go build.
func buildLine(build stage) string {
	for _, args := range build.all("RUN") {
		if strings.Contains(args, "go build") {
			return args
		}
	}
	return ""
}

// judgeBuild: the programs need nothing of the image but the kernel.
func judgeBuild(build stage, fault reporter) {
	line := buildLine(build)
	for _, want := range []string{"CGO_ENABLED=0 ", " -trimpath ", " -tags timetzdata ", "GOOS=$TARGETOS GOARCH=$TARGETARCH ", " -X github.com/redpoll/redpoll/internal/daemon.version=$VERSION", " -o /out/ ./cmd/..."} {
		if !strings.Contains(line, want) {
			fault("RUN %s: want %q in it", line, want)
		}
	}
	if args := strings.Join(build.all("ARG"), " "); args != "TARGETOS TARGETARCH VERSION" {
		fault("the stage build has the arguments %q", args)
	}
}

// TestDockerfile: the image is what its comment says, and every fault that is
// planted in it is found.
func TestDockerfile(t *testing.T) {
	t.Parallel()
	text, ignore := read(t, "deploy/Dockerfile"), read(t, ".dockerignore")
	sent := func(p string) bool {
		_, err := os.Stat(filepath.Join(root, p))
		return err == nil && slices.Contains(strings.Split(ignore, "\n"), "!"+p)
	}
	for _, fault := range judgeDockerfile(text, sent) {
		t.Error(fault)
	}
	if !strings.Contains(ignore, "\n*\n") {
		t.Error(".dockerignore lets everything in")
	}
	if v := read(t, "internal/daemon/registry.go"); !regexp.MustCompile(`(?m)^var version (?:string|= )`).MatchString(v) {
		t.Error("internal/daemon has no variable version for the linker to set")
	}
	if goLine := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod")); !strings.Contains(text, "golang:"+goLine[1]+"-") {
		t.Errorf("the image is built with another Go than %s", goLine[1])
	}
	for _, p := range []struct{ old, new, want string }{
		{"FROM scratch", "FROM debian:bookworm", "want scratch"},
		{"USER 65532:65532", "USER redpoll", "not root"},
		{"USER 65532:65532\n", "", "not root"},
		{`ENTRYPOINT ["redpoll"]`, "ENTRYPOINT redpoll", "want a list"},
		{"CGO_ENABLED=0 ", "", "CGO_ENABLED=0"},
		{"COPY internal internal", "COPY internals internals", "not there"},
		{"COPY LICENSE NOTICE", "COPY LICENSE README.md", "keeps it out"},
		{"--from=build /out/", "--from=builder /out/", "does not make it"},
		{"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/\n", "", "lacks programs or certificates"},
		{"ENV PATH=/usr/local/bin\n", "", "finds the programs"},
		{"EXPOSE", "RUN [\"true\"]\nEXPOSE", "has RUN"},
		{"daemon.version=", "daemon.Version=", "daemon.version"},
		{"ARG TARGETOS TARGETARCH VERSION", "ARG TARGETOS TARGETARCH", "has the arguments"},
		{" AS build", "", "want a stage build"},
	} {
		spoilt := strings.ReplaceAll(text, p.old, p.new)
		if got := strings.Join(judgeDockerfile(spoilt, sent), "\n"); spoilt == text || !strings.Contains(got, p.want) {
			t.Errorf("a Dockerfile with %q for %q: %q, want %q", p.new, p.old, got, p.want)
		}
	}
}

// TestImageHasTheirPrograms: what manifests start is what the image has.
func TestImageHasTheirPrograms(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join(root, "cmd/*"))
	if err != nil {
		t.Fatal(err)
	}
	var programs []string
	for _, dir := range dirs {
		programs = append(programs, path.Base(filepath.ToSlash(dir)))
	}
	for _, folder := range overlays {
		f, _ := decode(folder, kustomize(t, folder))
		for _, p := range f.pods() {
			c := p.template.Spec.Containers[0]
			if strings.HasPrefix(c.Image, "redpoll:") != slices.Contains(programs, c.Command[0]) {
				t.Errorf("%s: %s runs %s, the image redpoll has %q", folder, p.owner, c.Command[0], programs)
			}
		}
	}
}
