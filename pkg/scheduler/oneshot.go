package scheduler

import (
	"encoding/json"
	"time"

	"github.com/redpoll/redpoll/pkg/check"
)

// troubleStays is how long a one-shot that ended in trouble stays, with its
// incident open: targets that wait for company before they tell anybody, as
// Alertmanager does, would swallow one that is resolved within seconds.
const troubleStays = time.Hour

// stays says whether a one-shot that has run is left where it is for now, unix
// ms.
func stays(st check.Stored, now int64) bool {
	var last check.Last
	if st.Spec == "" || json.Unmarshal([]byte(st.Last), &last) != nil || last.Open() == nil {
		return false
	}
	return now < last.Finished+troubleStays.Milliseconds()
}
