package deploy

import (
	"fmt"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// fleet is everything that one folder or chart renders.
type fleet struct {
	name           string
	all            []meta.Object
	kinds          map[meta.Object]string
	namespaces     []*core.Namespace
	accounts       []*core.ServiceAccount
	configs        []*core.ConfigMap
	services       []*core.Service
	deployments    []*apps.Deployment
	stateful       []*apps.StatefulSet
	jobs           []*batch.Job
	budgets        []*policy.PodDisruptionBudget
	policies       []*networking.NetworkPolicy
	scalers        []*autoscaling.HorizontalPodAutoscaler
	podMonitors    []*monitoring.PodMonitor
	svcMonitors    []*monitoring.ServiceMonitor
	rules          []*monitoring.PrometheusRule
	scaledObjects  []*scaledObject
	authentication []*triggerAuthentication
}

// scaledObject is the part of KEDA's type of that name that we use: its own
// package needs six hundred others. A field that is not here is refused.
type scaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		PollingInterval *int32 `json:"pollingInterval"`
		MinReplicaCount *int32 `json:"minReplicaCount"`
		MaxReplicaCount *int32 `json:"maxReplicaCount"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior *autoscaling.HorizontalPodAutoscalerBehavior `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
			ScalingModifiers scalingModifiers `json:"scalingModifiers"`
		} `json:"advanced"`
		Triggers []trigger `json:"triggers"`
	} `json:"spec"`
}

// scalingModifiers make one figure of those of all triggers. KEDA has text for
// the target.
type scalingModifiers struct {
	Formula    string `json:"formula"`
	Target     string `json:"target"`
	MetricType string `json:"metricType"`
}

type trigger struct {
	Type              string            `json:"type"`
	Name              string            `json:"name"`
	Metadata          map[string]string `json:"metadata"`
	AuthenticationRef struct {
		Name string `json:"name"`
	} `json:"authenticationRef"`
}

// triggerAuthentication is likewise.
type triggerAuthentication struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		SecretTargetRef []struct {
			Parameter string `json:"parameter"`
			Name      string `json:"name"`
			Key       string `json:"key"`
		} `json:"secretTargetRef"`
	} `json:"spec"`
}

// decode reads what was rendered. Unknown fields, fields that stand twice and
// values of a wrong type are faults, as they are for the API server.
func decode(name, text string) (*fleet, []string) {
	f := &fleet{name: name, kinds: map[meta.Object]string{}}
	var faults []string
	for _, doc := range documents(text) {
		if err := f.add(doc); err != nil {
			faults = append(faults, err.Error())
		}
	}
	return f, faults
}

// add reads one object.
func (f *fleet) add(doc string) error {
	var head meta.TypeMeta
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		return err
	}
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case "v1 Namespace":
		return put(f, doc, kind, &f.namespaces, new(core.Namespace))
	case "v1 ServiceAccount":
		return put(f, doc, kind, &f.accounts, new(core.ServiceAccount))
	case "v1 ConfigMap":
		return put(f, doc, kind, &f.configs, new(core.ConfigMap))
	case "v1 Service":
		return put(f, doc, kind, &f.services, new(core.Service))
	case "apps/v1 Deployment":
		return put(f, doc, kind, &f.deployments, new(apps.Deployment))
	case "apps/v1 StatefulSet":
		return put(f, doc, kind, &f.stateful, new(apps.StatefulSet))
	case "batch/v1 Job":
		return put(f, doc, kind, &f.jobs, new(batch.Job))
	case "policy/v1 PodDisruptionBudget":
		return put(f, doc, kind, &f.budgets, new(policy.PodDisruptionBudget))
	case "networking.k8s.io/v1 NetworkPolicy":
		return put(f, doc, kind, &f.policies, new(networking.NetworkPolicy))
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return put(f, doc, kind, &f.scalers, new(autoscaling.HorizontalPodAutoscaler))
	case "monitoring.coreos.com/v1 PodMonitor":
		return put(f, doc, kind, &f.podMonitors, new(monitoring.PodMonitor))
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return put(f, doc, kind, &f.svcMonitors, new(monitoring.ServiceMonitor))
	case "monitoring.coreos.com/v1 PrometheusRule":
		return put(f, doc, kind, &f.rules, new(monitoring.PrometheusRule))
	case "keda.sh/v1alpha1 ScaledObject":
		return put(f, doc, kind, &f.scaledObjects, new(scaledObject))
	case "keda.sh/v1alpha1 TriggerAuthentication":
		return put(f, doc, kind, &f.authentication, new(triggerAuthentication))
	default:
		return fmt.Errorf("%s: no test knows this kind: Secrets and rights have no place here", kind)
	}
}

// put reads an object as its type and appends it to a list of the fleet.
func put[T meta.Object](f *fleet, doc, kind string, list *[]T, obj T) error {
	data, err := yaml.YAMLToJSONStrict([]byte(doc))
	if err != nil {
		return err
	}
	strict, err := kjson.UnmarshalStrict(data, obj)
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if len(strict) > 0 {
		return fmt.Errorf("%s %s: %v", kind, obj.GetName(), strict)
	}
	*list = append(*list, obj)
	f.all = append(f.all, obj)
	_, f.kinds[obj], _ = strings.Cut(kind, " ")
	return nil
}

// pod is a template of pods and where it stands.
type pod struct {
	owner    string
	daemon   string // scheduler, worker; empty: neither
	replicas *int32
	selector *meta.LabelSelector
	template core.PodTemplateSpec
}

// pods lists the templates of all workloads.
func (f *fleet) pods() (list []pod) {
	for _, d := range f.deployments {
		p := pod{owner: "Deployment " + d.Name, replicas: d.Spec.Replicas, selector: d.Spec.Selector, template: d.Spec.Template}
		if c := d.Spec.Template.Spec.Containers; len(c) == 1 && len(c[0].Command) == 1 && (c[0].Command[0] == "scheduler" || c[0].Command[0] == "worker") {
			p.daemon = c[0].Command[0]
		}
		list = append(list, p)
	}
	for _, s := range f.stateful {
		list = append(list, pod{owner: "StatefulSet " + s.Name, replicas: s.Spec.Replicas, selector: s.Spec.Selector, template: s.Spec.Template})
	}
	for _, j := range f.jobs {
		list = append(list, pod{owner: "Job " + j.Name, template: j.Spec.Template})
	}
	return list
}

// daemons lists the pods of schedulers and workers.
func (f *fleet) daemons() (list []pod) {
	for _, p := range f.pods() {
		if p.daemon != "" {
			list = append(list, p)
		}
	}
	return list
}

// config finds a ConfigMap.
func (f *fleet) config(name string) *core.ConfigMap {
	for _, c := range f.configs {
		if c.Name == name {
			return c
		}
	}
	return nil
}
