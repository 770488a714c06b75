package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redpoll/redpoll/internal/redistest"
	"github.com/redpoll/redpoll/pkg/check"
	"github.com/redpoll/redpoll/pkg/queue/redisqueue"
)

// Verify tells checks that are on their way from those that are not right: able
// to run in two lanes, or left on the way.
func TestVerifySeesMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	client := redistest.Mini(t)
	q := redisqueue.New(client, "")
	lanes := []check.Lane{{Zone: "default"}, {Zone: "default", Part: check.Partition("a", 4)}}
	text := `{"id":"a","command":"tcp","every":"1h"}`
	sha := check.SHA(text)
	adopt := func(lane check.Lane) {
		t.Helper()
		now, err := q.Now(ctx)
		if err == nil {
			_, err = q.Adopt(ctx, lane, []check.Adoption{{ID: "a", Rev: "5-0", Spec: text, SHA: sha, First: now + 1000}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	verify := func() string {
		t.Helper()
		var out strings.Builder
		a := &app{Streams: Streams{Stdout: &out, Stderr: &out}, opt: options{output: formatTable}}
		v := &verifier{app: a, conn: &connection{q, client}, wait: time.Millisecond}
		if err := v.run(ctx); err != nil {
			t.Fatal(err)
		}
		for _, p := range v.report.Problems {
			fmt.Fprintf(&out, "%s in %s; ", p.Kind, p.Lane)
		}
		return fmt.Sprintf("%s%d moving", out.String(), v.report.Moving)
	}
	if _, _, err := q.SetPartitions(ctx, "default", 1); err != nil {
		t.Fatal(err)
	}
	adopt(lanes[0])
	if got := verify(); got != "0 moving" {
		t.Errorf("before: %s", got)
	}
	if _, _, err := q.SetPartitions(ctx, "default", 4); err != nil {
		t.Fatal(err)
	}
	if got := verify(); got != "1 moving" {
		t.Errorf("it is to move: %s", got)
	}
	frozen, err := q.Freeze(ctx, lanes[0], []check.Freezing{{ID: "a", SHA: sha, To: lanes[1]}})
	if err != nil || frozen[0].Outcome != check.MoveFrozen {
		t.Fatalf("Freeze = %+v %v", frozen, err)
	}
	if got := verify(); got != "1 moving" {
		t.Errorf("frozen: %s", got)
	}
	old := strings.Replace(frozen[0].Record, fmt.Sprint(frozen[0].Since), fmt.Sprint(frozen[0].Since-61_000), 1)
	if err := client.HSet(ctx, q.KeyRuns(lanes[0]), "a", old).Err(); err != nil {
		t.Fatal(err)
	}
	if got := verify(); got != "frozen in default:0; 1 moving" {
		t.Errorf("left on the way: %s", got)
	}
	client.HDel(ctx, q.KeyRuns(lanes[0]), "a")
	client.HDel(ctx, q.KeySpecs(lanes[0]), "a")
	adopt(lanes[0])
	adopt(lanes[1])
	if got, want := verify(), "twin in "+lanes[1].String()+"; 1 moving"; got != want {
		t.Errorf("in two lanes: %s, want %s", got, want)
	}
}
