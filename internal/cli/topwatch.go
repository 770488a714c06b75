package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"
)

// topWatch is `top` on a terminal. Redis is asked in a goroutine, so that keys
// work while it does not answer; data is that goroutine's between begin and the
// answer in looked.
type topWatch struct {
	app    *app
	conn   *connection
	o      topOptions
	st     topState
	t      terminal
	data   *topData
	looked chan error
	busy   bool
	frames int
	frame  topFrame
	size   [2]int
}

// resizeEvery is how often the size of the window is looked at.
const resizeEvery = 250 * time.Millisecond

func (v *topWatch) run(ctx context.Context) error {
	keys := make(chan byte)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go readKeys(ctx, v.t.in, keys) // a read of a terminal cannot be ended: the process ends with it
	ticks := time.NewTicker(v.o.every)
	defer ticks.Stop()
	resized := time.NewTicker(resizeEvery)
	defer resized.Stop()
	v.begin(ctx) // who quits does not wait for an answer
	for v.o.count == 0 || v.frames < v.o.count {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case key, ok := <-keys:
			if !ok || v.press(ctx, key) {
				return nil
			}
			err = v.show()
		case <-ticks.C:
			if !v.st.paused {
				v.begin(ctx)
			}
		case failed := <-v.looked:
			v.answered(failed)
			err = v.show()
		case <-resized.C:
			if w, h := v.t.size(); v.size != [2]int{w, h} {
				err = v.show()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin asks Redis, unless it is being asked.
func (v *topWatch) begin(ctx context.Context) {
	if v.busy {
		return
	}
	v.busy = true
	zone := v.st.zone
	go func() { v.looked <- v.data.look(ctx, v.conn, zone) }()
}

// answered takes what Redis has said.
func (v *topWatch) answered(err error) {
	v.busy = false
	v.frames++
	v.st.trouble = ""
	if err != nil {
		v.st.trouble = fmt.Sprintf("redis does not answer: %v", err)
		return
	}
	v.frame = v.data.frame(v.st.zone, v.st.order)
}

func (v *topWatch) show() error {
	w, h := v.t.size()
	v.size = [2]int{w, h}
	return v.t.show(topScreen{width: w, height: h, color: v.app.printer()}.draw(v.frame, v.st))
}

// ctrlC is what Ctrl-C sends to a program that reads every key.
const ctrlC = 3

// press does what a key asks for; true quits.
func (v *topWatch) press(ctx context.Context, key byte) bool {
	switch key {
	case 'q', 'Q', ctrlC:
		return true
	case 'p', 'P', ' ':
		v.st.paused = !v.st.paused
	case 's', 'S':
		v.st.order = after(topSorts, v.st.order)
	case 'z', 'Z':
		v.st.zone = after(append([]string{""}, v.frame.Zones...), v.st.zone)
	default:
		return false
	}
	if !v.busy {
		v.frame = v.data.frame(v.st.zone, v.st.order)
		if !v.st.paused {
			v.begin(ctx)
		}
	}
	return false
}

// after gives the element that follows one, around the end.
func after(list []string, one string) string {
	return list[(slices.Index(list, one)+1)%len(list)]
}

// readKeys hands on what is typed.
func readKeys(ctx context.Context, in io.Reader, keys chan<- byte) {
	defer close(keys)
	b := make([]byte, 1)
	for {
		if _, err := in.Read(b); err != nil {
			return
		}
		select {
		case keys <- b[0]:
		case <-ctx.Done():
			return
		}
	}
}
