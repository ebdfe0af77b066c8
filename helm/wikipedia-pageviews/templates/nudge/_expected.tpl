{{/* What a job's pod has, as CEL: JSON's strings, lists and maps are CEL's. */}}
{{- define "pageviews.expectedEnv" -}}
{{- $found := dict }}
{{- range (include "pageviews.env" . | fromYamlArray) }}
{{- $source := .valueFrom | default dict }}
{{- if $source.secretKeyRef }}{{ $_ := set $found .name (printf "secret:%s/%s" $source.secretKeyRef.name $source.secretKeyRef.key) }}
{{- else if $source.configMapKeyRef }}{{ $_ := set $found .name (printf "configMap:%s/%s" $source.configMapKeyRef.name $source.configMapKeyRef.key) }}
{{- else if $source.fieldRef }}{{ $_ := set $found .name (printf "field:%s" $source.fieldRef.fieldPath) }}
{{- else if $source }}{{ fail (printf "nudge.enabled: the variable %s has a source that the admission policy does not know" .name) }}
{{- else }}{{ $_ := set $found .name (printf "value:%s" (toString (.value | default ""))) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end -}}

{{- define "pageviews.expectedVolumes" -}}
{{- $found := list }}
{{- $pod := include "pageviews.pod" (merge (dict "serviceAccountName" "any") .) | fromYaml }}
{{- range $pod.volumes }}
{{- if .secret }}{{ $found = append $found (printf "secret:%s" .secret.secretName) }}
{{- else if .configMap }}{{ $found = append $found (printf "configMap:%s" .configMap.name) }}
{{- else if .persistentVolumeClaim }}{{ $found = append $found (printf "claim:%s" .persistentVolumeClaim.claimName) }}
{{- else if hasKey . "emptyDir" }}{{ $found = append $found "emptyDir:" }}
{{- else }}{{ fail (printf "nudge.enabled: the volume %s is of a kind that the admission policy does not know" .name) }}
{{- end }}
{{- end }}
{{- toJson (uniq $found) }}
{{- end -}}

{{- define "pageviews.expectedMounts" -}}
{{- $found := list }}
{{- range (include "pageviews.mounts" . | fromYamlArray) }}{{ $found = append $found (printf "%s:%s" .name .mountPath) }}{{ end }}
{{- toJson $found }}
{{- end -}}
