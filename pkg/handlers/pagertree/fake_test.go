package pagertree

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	apiKey      = "canary-api-key-0815"
	integration = "int_canary4711"
	token       = "canary-token-1234"
)

// stored is an alert as the API tells it.
type stored struct {
	ID          string   `json:"id"`
	PrefixID    string   `json:"prefix_id"`
	Thirdparty  string   `json:"thirdparty_id"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Urgency     string   `json:"urgency"`
	Status      string   `json:"status"`
	Tags        []string `json:"tags"`
	Teams       []string `json:"destination_team_ids"`
	Routers     []string `json:"destination_router_ids"`
	Users       []string `json:"destination_account_user_ids"`
	comments    []string
	dedup       int
}

// fake is a PagerTree: the API v4 and a webhook integration, as its documents
// and its open source have them.
type fake struct {
	t   *testing.T
	url string

	mu       sync.Mutex // guards what follows
	alerts   []*stored
	calls    []string
	newState string
	// before may answer a request itself; after may break off what was done.
	before func(w http.ResponseWriter, r *http.Request) bool
	after  func(r *http.Request) bool
	// blind: the list knows no filters.
	blind bool
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, newState: "open"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /integration/{id}", f.hook)
	mux.HandleFunc("GET /api/v4/alerts", f.api(f.list))
	mux.HandleFunc("POST /api/v4/alerts", f.api(f.create))
	mux.HandleFunc("GET /api/v4/alerts/{id}", f.api(f.one(nil, "")))
	mux.HandleFunc("PUT /api/v4/alerts/{id}", f.api(f.put))
	mux.HandleFunc("POST /api/v4/alerts/{id}/acknowledge", f.api(f.one([]string{"open", "dropped", "suppressed"}, "acknowledged")))
	mux.HandleFunc("POST /api/v4/alerts/{id}/resolve", f.api(f.one([]string{"open", "dropped", "acknowledged"}, "resolved")))
	mux.HandleFunc("POST /api/v4/alerts/{id}/comments", f.api(f.comment))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, r.Method+" "+r.URL.Path)
		if f.before != nil && f.before(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
		if f.after != nil && f.after(r) {
			panic(http.ErrAbortHandler) // the answer is lost
		}
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func refuse(w http.ResponseWriter, code int, format string, args ...any) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]string{"message": fmt.Sprintf(format, args...)}}, "code": code})
}

// api lets in who has the key.
func (f *fake) api(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+apiKey {
			refuse(w, 401, "no valid API key: %s", r.Header.Get("Authorization"))
			return
		}
		if r.Method != http.MethodGet && r.ContentLength > 0 && r.Header.Get("Content-Type") != "application/json" {
			refuse(w, 400, "Content-Type %q", r.Header.Get("Content-Type"))
			return
		}
		next(w, r)
	}
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var a stored
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		refuse(w, 400, "%v", err)
		return
	}
	switch {
	case a.Title == "":
		refuse(w, 422, "title can't be blank")
	case !slices.Contains(urgencies, a.Urgency):
		refuse(w, 422, "urgency is not included in the list")
	case len(a.Teams)+len(a.Routers)+len(a.Users) == 0:
		refuse(w, 422, "at least 1 destination is required")
	default:
		a.ID = fmt.Sprintf("01JT13CYDAMAJDM0G8HR%06d", len(f.alerts))
		a.PrefixID, a.Status = "alt_"+a.ID, f.newState
		f.alerts = append(f.alerts, &a)
		_ = json.NewEncoder(w).Encode(&a)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	found := []*stored{}
	for _, a := range slices.Backward(f.alerts) { // the newest first
		if want := r.URL.Query().Get("thirdparty_id"); f.blind || want == a.Thirdparty {
			found = append(found, a)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": found, "has_more": false, "total_count": len(found)})
}

func (f *fake) byID(w http.ResponseWriter, r *http.Request) *stored {
	for _, a := range f.alerts {
		if a.ID == r.PathValue("id") {
			return a
		}
	}
	refuse(w, 404, "not found")
	return nil
}

// one tells of an alert; with a state it takes it there from some others.
func (f *fake) one(from []string, to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := f.byID(w, r)
		switch {
		case a == nil:
			return
		case to != "" && !slices.Contains(from, a.Status):
			refuse(w, 422, "the alert is %s", a.Status)
			return
		case to != "":
			a.Status = to
		}
		_ = json.NewEncoder(w).Encode(a)
	}
}

func (f *fake) put(w http.ResponseWriter, r *http.Request) {
	a := f.byID(w, r)
	if a == nil {
		return
	}
	var c content
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil || c.Title == "" || !slices.Contains(urgencies, c.Urgency) {
		refuse(w, 422, "%v", err)
		return
	}
	a.Title, a.Description, a.Urgency = c.Title, c.Description, c.Urgency
	_ = json.NewEncoder(w).Encode(a)
}

func (f *fake) comment(w http.ResponseWriter, r *http.Request) {
	var c struct{ Body string }
	if a := f.byID(w, r); a != nil && json.NewDecoder(r.Body).Decode(&c) == nil {
		a.comments = append(a.comments, c.Body)
		_ = json.NewEncoder(w).Encode(c)
	}
}

// hook is the integration: it answers 200 to nearly everything.
func (f *fake) hook(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Type        string   `json:"event_type"`
		ID          string   `json:"id"`
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Urgency     string   `json:"urgency"`
		Tags        []string `json:"tags"`
	}
	if r.PathValue("id") != integration {
		w.WriteHeader(404)
		return
	}
	if r.Header.Get("pagertree-token") != token || json.NewDecoder(r.Body).Decode(&m) != nil {
		w.WriteHeader(400)
		return
	}
	var open *stored
	for _, a := range f.alerts {
		if a.Thirdparty == m.ID && a.Status != "resolved" {
			open = a
		}
	}
	switch {
	case m.Type == "create" && open != nil:
		open.dedup++
	case m.Type == "create" && m.Title != "" && m.Description != "" && m.ID != "":
		f.alerts = append(f.alerts, &stored{
			ID: fmt.Sprint("x", len(f.alerts)), Thirdparty: m.ID, Title: m.Title, Description: m.Description, Urgency: m.Urgency, Tags: m.Tags, Status: "open",
		})
	case m.Type == "acknowledge" && open != nil:
		open.Status = "acknowledged"
	case m.Type == "resolve" && open != nil:
		open.Status = "resolved"
	}
}

// see tells the alerts and the calls since the last time: "status title" of
// each alert.
func (f *fake) see() (alerts, calls []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.alerts {
		alerts = append(alerts, a.Status+" "+a.Title)
	}
	for _, c := range f.calls {
		calls = append(calls, strings.Replace(c, "/api/v4/alerts", "", 1))
	}
	f.calls = nil
	return alerts, calls
}

// set changes something while nobody is served.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}
