package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// streamFields are the fields of KEDA's trigger redis-streams that fit a look
// at the length of the stream, from its source, version 2.21. KEDA's own type
// takes any, and a wrong one would just not be seen.
var streamFields = []string{"address", "addresses", "stream", "streamLength", "databaseIndex", "enableTLS"}

// streamParameters are what it takes from a TriggerAuthentication.
var streamParameters = []string{"username", "password", "ca", "cert", "key"}

// kedaTriggers: each trigger looks at the whole of a lane's work, where the
// workers have their Redis, and together they are all lanes, added up.
func kedaTriggers(f *fleet, fault reporter) {
	for _, s := range f.scaledObjects {
		var vars map[string]string
		for _, p := range f.daemons() {
			if p.owner == "Deployment "+s.Spec.ScaleTargetRef.Name {
				vars = variables(f, p.template.Spec.Containers[0])
			}
		}
		if len(s.Spec.Triggers) == 0 {
			fault("ScaledObject %s has no trigger", s.Name)
		}
		for _, tr := range s.Spec.Triggers {
			kedaTrigger(f, tr, vars, fault)
		}
		kedaLanes(s, vars["REDPOLL_ZONES"], fault)
		kedaSum(s, fault)
	}
	for _, a := range f.authentication {
		for _, r := range a.Spec.SecretTargetRef {
			if !slices.Contains(streamParameters, r.Parameter) {
				fault("TriggerAuthentication %s: a trigger has no parameter %s", a.Name, r.Parameter)
			}
			if !slices.Contains(secrets, r.Name) || r.Key == "" {
				fault("TriggerAuthentication %s: nobody is told to make the key %q of the Secret %s", a.Name, r.Key, r.Name)
			}
		}
	}
}

func kedaTrigger(f *fleet, tr trigger, vars map[string]string, fault reporter) {
	for name := range tr.Metadata {
		if !slices.Contains(streamFields, name) {
			fault("a trigger has the field %s", name)
		}
	}
	kind, field := "redis-streams", "address"
	scheme, hosts, _ := strings.Cut(vars["REDPOLL_REDIS"], "://")
	if strings.HasSuffix(scheme, "+cluster") {
		kind, field = "redis-cluster-streams", "addresses" // the other one does not follow a lane to its server
	}
	hosts, _, _ = strings.Cut(hosts, "/")
	if tr.Type != kind {
		fault("trigger %q: want %s for %s", tr.Type, kind, vars["REDPOLL_REDIS"])
	}
	if tr.Metadata[field] != hosts || tr.Metadata["enableTLS"] != strconv.FormatBool(strings.HasPrefix(scheme, "rediss")) {
		fault("a trigger has the %s %q (TLS %s), the workers %s", field, tr.Metadata[field], tr.Metadata["enableTLS"], vars["REDPOLL_REDIS"])
	}
	each, err := strconv.Atoi(tr.Metadata["streamLength"])
	slots, _ := strconv.Atoi(vars["REDPOLL_SLOTS"])
	if err != nil || each < slots/2 || each >= slots {
		fault("a trigger counts on %d checks for a worker of %d slots", each, slots)
	}
	found := slices.ContainsFunc(f.authentication, func(a *triggerAuthentication) bool { return a.Name == tr.AuthenticationRef.Name })
	if ref := tr.AuthenticationRef.Name; ref != "" && !found {
		fault("there is no TriggerAuthentication %s", ref)
	}
}

var readyStream = regexp.MustCompile(`^redpoll:\{([a-z0-9-]{1,32}):(0|[1-9][0-9]*)\}:ready$`)

// kedaLanes: each stream is looked at once, each zone of the workers is there,
// with its lanes from 0 on and no gap.
func kedaLanes(s *scaledObject, zones string, fault reporter) {
	lanes := map[string][]int{}
	for _, tr := range s.Spec.Triggers {
		m := readyStream.FindStringSubmatch(tr.Metadata["stream"])
		if m == nil {
			fault("a trigger looks at %q, which is no stream of a lane", tr.Metadata["stream"])
			continue
		}
		lane, _ := strconv.Atoi(m[2])
		if slices.Contains(lanes[m[1]], lane) {
			fault("two triggers look at %s", tr.Metadata["stream"])
		}
		lanes[m[1]] = append(lanes[m[1]], lane)
	}
	for _, zone := range strings.Split(zones, ",") {
		if len(lanes[zone]) == 0 {
			fault("no trigger looks at the zone %s", zone)
		} else if last := slices.Max(lanes[zone]); last >= len(lanes[zone]) {
			fault("triggers look at %d lanes of the zone %s, up to lane %d", len(lanes[zone]), zone, last)
		}
		delete(lanes, zone)
	}
	for zone := range lanes {
		fault("a trigger looks at the zone %s, the workers serve %s", zone, zones)
	}
}

// formulaName is a name that KEDA's formulas take: in others "-" subtracts.
var formulaName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// kedaSum: the figures of several triggers are added up, and a worker's part of
// the sum is its part of one lane. Without that the autoscaler takes the largest
// figure alone.
func kedaSum(s *scaledObject, fault reporter) {
	sum, triggers := s.Spec.Advanced.ScalingModifiers, s.Spec.Triggers
	if len(triggers) == 1 && sum == (scalingModifiers{}) {
		return
	}
	var names []string
	for _, tr := range triggers {
		if !formulaName.MatchString(tr.Name) || slices.Contains(names, tr.Name) {
			fault("a trigger has the name %q: want a word of its own", tr.Name)
		}
		names = append(names, tr.Name)
		if sum.Target != tr.Metadata["streamLength"] {
			fault("the target of the sum is %q, that of %s %q", sum.Target, tr.Name, tr.Metadata["streamLength"])
		}
	}
	terms := strings.Split(sum.Formula, " + ")
	slices.Sort(terms)
	slices.Sort(names)
	if !slices.Equal(terms, names) {
		fault("the formula %q is not the sum of %q", sum.Formula, names)
	}
	if sum.MetricType != "AverageValue" {
		fault("the sum is a %q, want AverageValue: a part for each worker", sum.MetricType)
	}
}

// manyLanes are the files of values of the chart for zones of several lanes,
// laneSum is all of them.
var manyLanes = []string{"prod.yaml", "keda.yaml", "lanes.yaml"}

const laneSum = "lane_fra_1_0 + lane_fra_1_1 + lane_fra_1_2 + lane_ber_0"

// TestLanes: for zones of several lanes the chart makes a trigger for each, and
// one figure of all.
func TestLanes(t *testing.T) {
	t.Parallel()
	text, err := helm(t, manyLanes...)
	if err != nil {
		t.Fatal(err)
	}
	f, faults := decode(keda, text)
	for _, r := range []rule{{"scale", scaled}, {"keda", kedaTriggers}} {
		r.judge(f, func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) })
	}
	if len(faults) > 0 || len(f.scaledObjects) != 1 {
		t.Fatalf("%d ScaledObjects, want one; faults %q", len(f.scaledObjects), faults)
	}
	spec := f.scaledObjects[0].Spec
	var streams []string
	for _, tr := range spec.Triggers {
		streams = append(streams, tr.Metadata["stream"])
	}
	want := []string{"redpoll:{fra-1:0}:ready", "redpoll:{fra-1:1}:ready", "redpoll:{fra-1:2}:ready", "redpoll:{ber:0}:ready"}
	if !slices.Equal(streams, want) {
		t.Errorf("streams %q, want %q", streams, want)
	}
	sum := scalingModifiers{laneSum, "700", "AverageValue"}
	if spec.Advanced.ScalingModifiers != sum {
		t.Errorf("modifiers %+v, want %+v", spec.Advanced.ScalingModifiers, sum)
	}
}

// TestLanesPlanted: the rule sees what is wrong with several lanes.
func TestLanesPlanted(t *testing.T) {
	t.Parallel()
	text, err := helm(t, manyLanes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct{ old, new, want string }{
		{" + lane_ber_0", "", "is not the sum"},
		{"lane_fra_1_0 + lane_fra_1_1", "lane_fra_1_0 + lane_fra_1_0", "is not the sum"},
		{"formula: lane_fra_1_0 + lane_fra_1_1", "formula: lane_fra_1_0 - lane_fra_1_1", "is not the sum"},
		{"    scalingModifiers:\n      formula: " + laneSum + "\n      target: \"700\"\n      metricType: AverageValue\n", "", "is not the sum"},
		{"lane_fra_1_", "lane-fra-1-", "want a word"},
		{"name: lane_fra_1_1", "name: lane_fra_1_0", "want a word of its own"},
		{"      name: lane_ber_0\n", "", `the name ""`},
		{"target: \"700\"", "target: \"2800\"", "the target of the sum is"},
		{"metricType: AverageValue", "metricType: Value", "want AverageValue"},
		{"redpoll:{fra-1:1}:ready", "redpoll:{fra-1:0}:ready", "two triggers look at"},
		{"redpoll:{fra-1:2}:ready", "redpoll:{fra-1:3}:ready", "up to lane 3"},
		{"redpoll:{ber:0}:ready", "redpoll:{fra-1:3}:ready", "no trigger looks at the zone ber"},
		{"redpoll:{ber:0}:ready", "redpoll:{ber:0}:runs", "no stream of a lane"},
		{"redis-cluster-streams", "redis-streams", "want redis-cluster-streams"},
		{"addresses: ", "address: ", "has the addresses"},
	} {
		if !strings.Contains(text, p.old) {
			t.Errorf("the chart does not render %q", p.old)
		}
		var said []string
		f, _ := decode(keda, strings.ReplaceAll(text, p.old, p.new))
		kedaTriggers(f, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
		if !strings.Contains(strings.Join(said, "\n"), p.want) {
			t.Errorf("with %q for %q: the rule says %q, want %q", p.new, p.old, said, p.want)
		}
	}
}
