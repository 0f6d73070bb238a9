{{- define "fonster.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (replace "+" "_" .Chart.Version) | quote }}
{{- end }}

{{- /* Who the operator is, as the policies know it: they name it as text, so that no request has to read it. */}}
{{- define "fonster.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:fonster-controller-manager
{{- end }}

{{- define "fonster.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest | quote }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
{{- end }}
{{- end }}

{{- /* Whether there are mutating policies: "true" or "false". */}}
{{- define "fonster.mutating" -}}
{{- if eq (toString .Values.mutating) "auto" -}}
{{ .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}
{{- else -}}
{{ .Values.mutating }}
{{- end }}
{{- end }}

{{- define "fonster.operatorArgs" -}}
- --leader-elect-identity=$(POD_NAME) # so that a container that has crashed goes on without waiting for its own lease
{{- with .Values.exemptUsers }}
- {{ printf "--exempt-users=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.exemptGroups }}
- {{ printf "--exempt-groups=%s" (join "," .) | quote }}
{{- end }}
{{- with .Values.leaderLabels }}
- {{ printf "--leader-labels=%s" (join "," .) | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- define "fonster.pageArgs" -}}
{{- with .Values.page }}
{{- $args := list }}
{{- with .audienceLabel }}{{ $args = append $args (printf "--page-audience-label=%s" .) }}{{ end }}
{{- if .audiences }}
{{- $named := list }}
{{- range $key, $name := .audiences }}{{ $named = append $named (printf "%s=%s" $key $name) }}{{ end }}
{{- $args = append $args (printf "--page-audiences=%s" (join "," $named)) }}
{{- end }}
{{- with .language }}{{ $args = append $args (printf "--page-language=%s" .) }}{{ end }}
{{- with .organisation }}{{ $args = append $args (printf "--page-organisation=%s" .) }}{{ end }}
{{- with .link }}{{ $args = append $args (printf "--page-link=%s" .) }}{{ end }}
{{- with .contact }}{{ $args = append $args (printf "--page-contact=%s" .) }}{{ end }}
{{- with .url }}{{ $args = append $args (printf "--page-url=%s" .) }}{{ end }}
{{- toYaml (concat $args .extraArgs | default list) }}
{{- end }}
{{- end }}

{{- define "fonster.apiServerPorts" -}}
{{- $ports := list }}
{{- range .Values.networkPolicy.apiServerPorts }}{{ $ports = append $ports (dict "port" (int .) "protocol" "TCP") }}{{ end }}
{{- toYaml $ports }}
{{- end }}

{{- /* The pod of a Job that asks something of the API server, and ends: (list $ NAME ARGS). */}}
{{- define "fonster.jobPod" -}}
{{- $ := index . 0 -}}
metadata:
  labels:
    app.kubernetes.io/name: {{ index . 1 }}
spec:
  serviceAccountName: {{ index . 1 }}
  restartPolicy: Never
  {{- with $.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    seccompProfile: {type: RuntimeDefault}
  containers:
  - name: fonster
    image: {{ include "fonster.image" $ }}
    imagePullPolicy: {{ $.Values.image.pullPolicy }}
    args:
      {{- toYaml (index . 2) | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 48Mi}
      limits: {memory: 256Mi}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
{{- end }}
