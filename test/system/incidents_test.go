package system

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// outage is a router and hosts behind it.
type outage struct {
	*fleet
	board *switchboard
	hosts []string
}

// set sets the router and the hosts up or down.
func (o *outage) set(router, hosts bool) {
	o.board.set("router", router)
	for _, id := range o.hosts {
		o.board.set(id, hosts)
	}
}

// opened counts the incidents that were opened, and demands that the changes of
// each check are in order: open, then updates, then resolve, with one id.
func (o *outage) opened() (router, hosts int) {
	o.Helper()
	for id, list := range o.changes() {
		open := ""
		for _, ev := range list {
			fits := ev.Incident.ID == open
			switch ev.Change {
			case check.ChangeOpen:
				fits, open = open == "", ev.Incident.ID
				if id == "router" {
					router++
				} else {
					hosts++
				}
			case check.ChangeResolve:
				open = ""
			}
			if !fits {
				o.Errorf("%s: %s of %s does not fit, open is %q", id, ev.Change, ev.Incident.ID, open)
			}
		}
	}
	return router, hosts
}

// opens waits until so many incidents were opened, and no more.
func (o *outage) opens(router, hosts int) {
	o.Helper()
	o.eventually(25*time.Second, func() error {
		if r, h := o.opened(); r != router || h != hosts {
			return fmt.Errorf("opened: %d of the router, %d of hosts, want %d and %d", r, h, router, hosts)
		}
		return nil
	})
}

// held waits until all hosts are held by what begins so.
func (o *outage) held(by string) {
	o.Helper()
	o.eventually(25*time.Second, func() error {
		n := 0
		for _, id := range o.hosts {
			if last := o.last(id); last.State == check.StateCrit && last.Held == by {
				n++
			}
		}
		if n != len(o.hosts) {
			return fmt.Errorf("%d of %d hosts are held by %s", n, len(o.hosts), by)
		}
		return nil
	})
}

// allWell waits until no incident is open.
func (o *outage) allWell() {
	o.Helper()
	o.eventually(20*time.Second, func() error {
		if out, _ := o.redpoll("incidents", "-o", "name"); out != "" {
			return fmt.Errorf("open: %.200s", out)
		}
		return nil
	})
}

// last reads the last record of a check.
func (f *fleet) last(id string) (last check.Last) {
	f.Helper()
	text, err := f.client.HGet(f.Context(), key("last"), id).Bytes()
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	if err != nil {
		f.Fatalf("last record of %s: %v", id, err)
	}
	return last
}

// A router dies, and the hosts behind it with it: that is one incident, though
// the router is looked at every hour and the hosts every second. In a downtime
// there is none. All that is held opens when the hold is over.
func TestRouterOutage(t *testing.T) {
	t.Parallel()
	f := newRoles(t)
	f.up(2, 2)
	o := &outage{fleet: f, board: serveSwitchboard(t)}
	line := func(id, every, more string) string {
		return fmt.Sprintf(`XADD redpoll:intake * id %s command tcp every %s timeout 5s params.host 127.0.0.1 params.port %d params.send "%s\n" params.expect ok %s`, id, every, o.board.port, id, more)
	}
	add := []string{line("router", "1h", "")}
	for n := range 20 {
		id := fmt.Sprintf("host%02d", n)
		o.hosts = append(o.hosts, id)
		add = append(add, line(id, "1s", "parents router attempts 2 retry_every 1s"))
	}
	f.lines(add...)
	f.eventually(10*time.Second, func() error {
		if n := f.client.HLen(t.Context(), key("last")).Val(); n != 21 {
			return fmt.Errorf("%d of 21 checks have run", n)
		}
		return nil
	})

	o.set(true, true)
	o.held("parent:router")
	o.opens(1, 0)
	pass(t, 3*time.Second)
	o.opens(1, 0)
	f.accepted("XADD redpoll:intake * op ack id router by anna for 1h")

	o.set(false, true) // the router is well again, the hosts are not
	f.accepted("XADD redpoll:intake * op run id router")
	o.opens(1, 20)
	o.set(false, false)
	o.allWell()

	f.accepted("XADD redpoll:intake * op downtime id maint checks host* for 1h")
	pass(t, time.Second) // an answer about downtimes is used for so long
	o.set(false, true)
	o.held("downtime:maint")
	pass(t, 3*time.Second)
	o.opens(1, 20)
	f.accepted("XADD redpoll:intake * op downtime-delete id maint")
	o.opens(1, 40)
	o.set(false, false)
	o.allWell()
	o.opened()
	f.noRefusals()
	f.verify()
}
