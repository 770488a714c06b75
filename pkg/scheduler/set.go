package scheduler

import "github.com/redpoll/redpoll/pkg/check"

// set makes the adoption of a set request from what is stored of its check.
func (b *batch) set(r *request, st check.Stored) check.Adoption {
	c := r.req.Check
	a := check.Adoption{ID: c.ID, Rev: r.entry, Spec: r.canonical, SHA: check.SHA(r.canonical), Paused: c.Paused}
	if st.Spec == "" {
		a.First = check.First(c, b.now, r.req.Spread).UnixMilli()
		return a
	}
	a.OldSHA = check.SHA(st.Spec)
	a.First = check.First(c, b.now, true).UnixMilli()
	old, err := check.Parse([]byte(st.Spec))
	if err != nil {
		return a // broken by hand; this mends it
	}
	a.Keep = c.SameSchedule(old)
	if string(old.Text()) == r.canonical {
		a.Spec, a.SHA = st.Spec, a.OldSHA // written otherwise, and the same
	}
	return a
}

// pause makes the adoption of a pause or a resume: the spec as it is, with the
// switch set. The queue refuses it when the spec is another one by then.
func (b *batch) pause(r *request, st check.Stored) (check.Adoption, bool) {
	if st.Spec == "" {
		r.conclude(check.AdoptMissing)
		return check.Adoption{}, false
	}
	c, err := check.Parse([]byte(st.Spec))
	if err != nil {
		r.reject("the check's spec in the registry is not valid: " + err.Error())
		return check.Adoption{}, false
	}
	old := check.SHA(st.Spec)
	a := check.Adoption{
		ID: c.ID, Rev: r.entry, Spec: st.Spec, SHA: old, OldSHA: old,
		Paused: r.req.Op == check.OpPause, First: check.First(c, b.now, true).UnixMilli(),
	}
	named := c.Zone != "" || r.req.Zone == check.DefaultZone
	if c.Paused != a.Paused || !named {
		c.Paused = a.Paused
		if !named { // it was written by hand into the registry of another zone
			c.Zone = r.req.Zone
		}
		a.Spec = string(c.Text())
		a.SHA = check.SHA(a.Spec)
	}
	return a, true
}
