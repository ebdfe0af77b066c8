{{/* Names are at most 40 characters, so that a CronJob's Jobs and their pods still fit. */}}
{{- define "pageviews.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pageviews.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Of every object; `component` is given by a dict with root and component. */}}
{{- define "pageviews.labels" -}}
{{ include "pageviews.selector" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: wikipedia-pageviews
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whether something is kept on the volume: DuckDB's file, the folder store, or both. */}}
{{- define "pageviews.hasVolume" -}}
{{- if or (eq .Values.warehouse "duckdb") (not .Values.store.url) }}true{{ end -}}
{{- end -}}

{{- define "pageviews.claim" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-data" (include "pageviews.fullname" .)) -}}
{{- end -}}

{{- define "pageviews.image" -}}
{{- $image := .values.image -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end -}}

{{- define "pageviews.serviceAccountName" -}}
{{- if .values.serviceAccount.create -}}
{{- .values.serviceAccount.name | default (printf "%s-%s" (include "pageviews.fullname" .root) .component) -}}
{{- else -}}
{{- .values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What a service reads from the environment, of the chart's values and its Secret. */}}
{{- define "pageviews.env" -}}
{{- $root := .root -}}
{{- $known := index ($root.Files.Get "files/settings.json" | fromJson) .component -}}
{{- $isJob := ne .component "status-api" -}}
{{- with $root.Values.store.url }}
- {name: PAGEVIEWS_STORE_URL, value: {{ . | quote }}}
{{- end }}
{{- with $root.Values.store.endpointUrl }}
- {name: PAGEVIEWS_S3_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with $root.Values.store.region }}
- {name: PAGEVIEWS_S3_REGION, value: {{ . | quote }}}
{{- end }}
{{- if $root.Values.store.pathStyle }}
- {name: PAGEVIEWS_S3_PATH_STYLE, value: "true"}
{{- end }}
{{- with $root.Values.store.kmsKeyId }}
- {name: PAGEVIEWS_S3_KMS_KEY_ID, value: {{ . | quote }}}
{{- end }}
{{- if $isJob }}
- {name: PAGEVIEWS_WAREHOUSE, value: {{ $root.Values.warehouse }}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_UID
  valueFrom: {fieldRef: {fieldPath: metadata.uid}}
{{- end }}
{{- if and (eq .component "ingestor") $root.Values.contact }}
- {name: PAGEVIEWS_CONTACT, value: {{ $root.Values.contact | quote }}}
{{- end }}
{{- range $variable, $value := merge (deepCopy .values.settings) $root.Values.settings }}
{{- if has $variable $known.settings }}
- {name: {{ $variable }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}}
{{- end }}
{{- end }}
{{- with .values.existingSecret | default $root.Values.existingSecret }}
{{- $secret := . }}
{{- $variables := $known.secrets }}
{{- if $root.Values.store.url }}{{ $variables = concat (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN") $variables }}{{ end }}
{{- range $variables }}
{{- if or (not (hasPrefix "SNOWFLAKE_" .)) (eq $root.Values.warehouse "snowflake") }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ . }}, optional: true}} # the program names what is missing
{{- end }}
{{- end }}
{{- end }}
{{- if and $isJob .values.privateKeyFile }}
- {name: SNOWFLAKE_PRIVATE_KEY_FILE, value: /run/secrets/pageviews/{{ .values.privateKeyFile }}}
{{- end }}
{{- if and (not $isJob) .values.tokensFile }}
- {name: PAGEVIEWS_TOKENS_FILE, value: /run/secrets/pageviews/{{ .values.tokensFile }}}
{{- end }}
{{- with $root.Values.proxy.https }}
- {name: HTTPS_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with $root.Values.proxy.http }}
- {name: HTTP_PROXY, value: {{ . | quote }}}
{{- end }}
{{- with $root.Values.proxy.no }}
- {name: NO_PROXY, value: {{ . | quote }}}
{{- end }}
{{- if $root.Values.caBundle.configMap }}
{{- range list "SSL_CERT_FILE" "REQUESTS_CA_BUNDLE" "AWS_CA_BUNDLE" }}
- {name: {{ . }}, value: /run/ca/{{ $root.Values.caBundle.key }}}
{{- end }}
{{- end }}
{{- with concat $root.Values.extraEnv .values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The parts that every pod has besides; `claim: false` for one that runs before the volume is there. */}}
{{- define "pageviews.pod" -}}
{{- $root := .root }}
serviceAccountName: {{ .serviceAccountName }}
automountServiceAccountToken: {{ eq .component "status-api" }}
enableServiceLinks: false
securityContext: {{ toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- if eq (include "pageviews.mountsVolume" .) "true" }}
{{- $wanted := $root.Values.affinity.podAffinity | default dict }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (dict "pageviews/volume" (include "pageviews.claim" $root))) }}
{{- $required := append ($wanted.requiredDuringSchedulingIgnoredDuringExecution | default list) $term }}
affinity: {{ toYaml (mergeOverwrite (deepCopy $root.Values.affinity) (dict "podAffinity" (dict "requiredDuringSchedulingIgnoredDuringExecution" $required))) | nindent 2 }}
{{- else }}
{{- with $root.Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
volumes:
{{- if eq (include "pageviews.mountsVolume" .) "true" }}
  - name: data
    persistentVolumeClaim: {claimName: {{ include "pageviews.claim" $root }}}
{{- else if ne .component "status-api" }}
  - name: data
    emptyDir: {sizeLimit: 8Gi} # scratch: an hour's file, unpacked
{{- end }}
  - name: tmp
    emptyDir: {sizeLimit: {{ ternary "100Mi" "1Gi" (eq .component "status-api") }}}
{{- if or .values.privateKeyFile .values.tokensFile }}
  - name: secret-file
    secret:
      secretName: {{ required "privateKeyFile and tokensFile are keys of a Secret: name it in existingSecret" (.values.existingSecret | default $root.Values.existingSecret) }}
      optional: true # the program names what is missing
      defaultMode: 0440
      items: [{key: {{ .values.privateKeyFile | default .values.tokensFile }}, path: {{ .values.privateKeyFile | default .values.tokensFile }}}]
{{- end }}
{{- with $root.Values.caBundle.configMap }}
  - name: ca
    configMap: {name: {{ . }}}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end -}}

{{/* Jobs hold the warehouse's file or the folder store; the status service reads the folder store alone. */}}
{{- define "pageviews.mountsVolume" -}}
{{- if eq .component "check" -}}
{{- else if eq .component "status-api" -}}
{{- if not .root.Values.store.url }}true{{ end -}}
{{- else -}}
{{- include "pageviews.hasVolume" .root -}}
{{- end -}}
{{- end -}}

{{- define "pageviews.mounts" -}}
{{- if ne .component "status-api" }}
- {name: data, mountPath: /data}
{{- else if not .root.Values.store.url }}
- {name: data, mountPath: /data/objects, subPath: objects} # the warehouse's file stays out of its reach
{{- end }}
- {name: tmp, mountPath: /tmp}
{{- if or .values.privateKeyFile .values.tokensFile }}
- {name: secret-file, mountPath: /run/secrets/pageviews, readOnly: true}
{{- end }}
{{- if .root.Values.caBundle.configMap }}
- {name: ca, mountPath: /run/ca, readOnly: true}
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A job's CronJob: both are alike but for their values. */}}
{{- define "pageviews.cronJob" -}}
{{- $root := .root -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "pageviews.fullname" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{ include "pageviews.labels" . | nindent 4 }}
spec:
  # `suspend` is not set: whoever sets it keeps it through upgrades.
  schedule: {{ .values.schedule | quote }}
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: {{ .values.startingDeadlineSeconds }}
  successfulJobsHistoryLimit: {{ .values.successfulJobsHistoryLimit }}
  failedJobsHistoryLimit: {{ .values.failedJobsHistoryLimit }}
  jobTemplate:
    metadata:
      labels: {{ include "pageviews.labels" . | nindent 8 }}
    spec:
      activeDeadlineSeconds: {{ .values.activeDeadlineSeconds }}
      backoffLimit: {{ .values.backoffLimit }}
      ttlSecondsAfterFinished: {{ .values.ttlSecondsAfterFinished }}
      podFailurePolicy:
        rules:
          # An eviction or a drained node is nobody's failure.
          - action: Ignore
            onPodConditions: [{type: DisruptionTarget, status: "True"}]
          # Wrong usage, a bug, a wrong setting: trying again changes nothing.
          - action: FailJob
            onExitCodes: {containerName: {{ .component }}, operator: In, values: [64, 70, 78]}
      template:
        metadata:
          labels: {{ include "pageviews.podLabels" . | nindent 12 }}
          {{- with .values.podAnnotations }}
          annotations: {{ toYaml . | nindent 12 }}
          {{- end }}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
          {{- include "pageviews.pod" (merge (dict "serviceAccountName" (include "pageviews.serviceAccountName" .)) .) | trim | nindent 10 }}
          containers:
            - name: {{ .component }}
              image: {{ include "pageviews.image" . }}
              imagePullPolicy: {{ $root.Values.image.pullPolicy }}
              args: [run]
              terminationMessagePolicy: FallbackToLogsOnError # its last words reach the page
              env: {{ include "pageviews.env" . | trim | nindent 16 }}
              resources: {{ toYaml .values.resources | nindent 16 }}
              securityContext: {{ toYaml $root.Values.securityContext | nindent 16 }}
              volumeMounts: {{ include "pageviews.mounts" . | trim | nindent 16 }}
{{- end -}}

{{- define "pageviews.podLabels" -}}
{{ include "pageviews.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- if eq (include "pageviews.mountsVolume" .) "true" }}
pageviews/volume: {{ include "pageviews.claim" .root }} # all that mount it go to one node
{{- end }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "pageviews.serviceAccount" -}}
{{- if .values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "pageviews.serviceAccountName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{ include "pageviews.labels" . | nindent 4 }}
  {{- with .values.serviceAccount.annotations }}
  annotations: {{ toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}
{{- end -}}
