{{- /* In the Deployment: initContainers: {{- include "irsa.preflight" . | nindent 8 }} */}}
{{- define "irsa.preflight" -}}
- name: irsa-preflight
  image: "{{ .Values.preflight.image }}"
  args: ["preflight", "--wait", "60s"]
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: 65532  # With the application's user, it also checks that this user can read the token.
    capabilities:
      drop: [ALL]
    seccompProfile:
      type: RuntimeDefault
  resources:
    requests: {cpu: 10m, memory: 32Mi}
    limits: {memory: 128Mi}
  terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
