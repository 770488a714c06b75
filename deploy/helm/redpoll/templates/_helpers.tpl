{{/* selector is the labels that a daemon's selectors ask for: (list $ "worker"). */}}
{{- define "redpoll.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: redpoll
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* labels are those of an object; its component may be empty. */}}
{{- define "redpoll.labels" -}}
{{- $root := first . -}}
app.kubernetes.io/name: redpoll
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/part-of: redpoll
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version }}
{{- with last . }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{/* podLabels are those of a daemon's pods: no version of the chart, which would roll them. */}}
{{- define "redpoll.podLabels" -}}
{{- $root := first . -}}
{{ include "redpoll.selector" . }}
app.kubernetes.io/part-of: redpoll
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end }}

{{/* spread keeps the pods of a daemon apart. */}}
{{- define "redpoll.spread" -}}
{{- $args := . -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "redpoll.selector" $args | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/* placement is where a daemon's pods may go. */}}
{{- define "redpoll.placement" -}}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* probes: /healthz never asks for Redis, /readyz does. */}}
{{- define "redpoll.probes" -}}
startupProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /readyz
    port: metrics
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{/* redisEnv says who a daemon is to Redis: (list $ "worker"). */}}
{{- define "redpoll.redisEnv" -}}
{{- $root := first . -}}
{{- with $root.Values.redis -}}
{{- if .existingSecret }}
- name: REDPOLL_REDIS_USER
  value: {{ get .users (last $) }}
- name: REDPOLL_REDIS_PASSWORD_FILE
  value: /run/secrets/redpoll/redis/password
{{- if .ca }}
- name: REDPOLL_REDIS_CA
  value: /run/secrets/redpoll/redis/ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* redisMount and redisVolume hold a daemon's own password. */}}
{{- define "redpoll.redisMount" -}}
- name: redis
  mountPath: /run/secrets/redpoll/redis
  readOnly: true
{{- end }}
{{- define "redpoll.redisVolume" -}}
{{- $root := first . -}}
- name: redis
  secret:
    secretName: {{ $root.Values.redis.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ last . }}
        path: password
      {{- if $root.Values.redis.ca }}
      - key: ca.crt
        path: ca.crt
      {{- end }}
{{- end }}

{{/* env makes a list of a map. */}}
{{- define "redpoll.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/*
lanes are those of the workers' zones, as JSON: the stream of each, and a name
that KEDA's formulas take, which is a word: a "-" would subtract.
*/}}
{{- define "redpoll.lanes" -}}
{{- $zones := splitList "," .Values.worker.zones | uniq }}
{{- $partitions := .Values.autoscaling.keda.partitions | default dict }}
{{- range $zone, $n := $partitions }}
{{- if not (has $zone $zones) }}
{{- fail (printf "autoscaling.keda.partitions: %s is not among worker.zones" $zone) }}
{{- end }}
{{- end }}
{{- $prefix := get .Values.settings "REDPOLL_PREFIX" | default "redpoll" }}
{{- $lanes := list }}
{{- range $zone := $zones }}
{{- range $i := until (get $partitions $zone | default 1 | int) }}
{{- $name := printf "lane_%s_%d" (replace "-" "_" $zone) $i }}
{{- $lanes = append $lanes (dict "name" $name "stream" (printf "%s:{%s:%d}:ready" $prefix $zone $i)) }}
{{- end }}
{{- end }}
{{- toJson $lanes }}
{{- end }}
