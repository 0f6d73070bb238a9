package inputs

// reviewedFields are the fields of each type that somebody has looked at: which controller reads them before a pod is deleted or replaced,
// and who may write them. What matters is told in hack/inputs. Of Kubernetes 1.37 off by default, and to be looked at again when on:
// evictionResponders and schedulingGroup of a PodSpec, scheduling of a JobSpec.
var reviewedFields = map[string]string{
	"api/apps/v1.ControllerRevision": "TypeMeta metadata data revision",
	"api/apps/v1.DaemonSet":          "TypeMeta metadata spec status",
	"api/apps/v1.DaemonSetSpec":      "selector template updateStrategy minReadySeconds revisionHistoryLimit",
	"api/apps/v1.DaemonSetStatus": `
		currentNumberScheduled numberMisscheduled desiredNumberScheduled numberReady observedGeneration
		updatedNumberScheduled numberAvailable numberUnavailable collisionCount conditions`,
	"api/apps/v1.DaemonSetUpdateStrategy": "type rollingUpdate",
	"api/apps/v1.Deployment":              "TypeMeta metadata spec status",
	"api/apps/v1.DeploymentSpec": `
		replicas selector template strategy minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds`,
	"api/apps/v1.DeploymentStatus": `
		observedGeneration replicas updatedReplicas readyReplicas availableReplicas unavailableReplicas
		terminatingReplicas conditions collisionCount`,
	"api/apps/v1.DeploymentStrategy": "type rollingUpdate",
	"api/apps/v1.ReplicaSet":         "TypeMeta metadata spec status",
	"api/apps/v1.ReplicaSetSpec":     "replicas minReadySeconds selector template",
	"api/apps/v1.ReplicaSetStatus": `
		replicas fullyLabeledReplicas readyReplicas availableReplicas terminatingReplicas observedGeneration
		conditions`,
	"api/apps/v1.RollingUpdateDaemonSet":                          "maxUnavailable maxSurge",
	"api/apps/v1.RollingUpdateDeployment":                         "maxUnavailable maxSurge",
	"api/apps/v1.RollingUpdateStatefulSetStrategy":                "partition maxUnavailable",
	"api/apps/v1.StatefulSet":                                     "TypeMeta metadata spec status",
	"api/apps/v1.StatefulSetOrdinals":                             "start",
	"api/apps/v1.StatefulSetPersistentVolumeClaimRetentionPolicy": "whenDeleted whenScaled",
	"api/apps/v1.StatefulSetSpec": `
		replicas selector template volumeClaimTemplates serviceName podManagementPolicy updateStrategy
		revisionHistoryLimit minReadySeconds persistentVolumeClaimRetentionPolicy ordinals`,
	"api/apps/v1.StatefulSetStatus": `
		observedGeneration replicas readyReplicas currentReplicas updatedReplicas currentRevision updateRevision
		collisionCount conditions availableReplicas`,
	"api/apps/v1.StatefulSetUpdateStrategy":              "type rollingUpdate",
	"api/autoscaling/v1.Scale":                           "TypeMeta metadata spec status",
	"api/autoscaling/v1.ScaleSpec":                       "replicas",
	"api/autoscaling/v1.ScaleStatus":                     "replicas selector",
	"api/autoscaling/v2.ContainerResourceMetricSource":   "name target container",
	"api/autoscaling/v2.CrossVersionObjectReference":     "kind name apiVersion",
	"api/autoscaling/v2.ExternalMetricSource":            "metric target",
	"api/autoscaling/v2.HPAScalingPolicy":                "type value periodSeconds",
	"api/autoscaling/v2.HPAScalingRules":                 "stabilizationWindowSeconds selectPolicy policies tolerance",
	"api/autoscaling/v2.HorizontalPodAutoscaler":         "TypeMeta metadata spec status",
	"api/autoscaling/v2.HorizontalPodAutoscalerBehavior": "scaleUp scaleDown",
	"api/autoscaling/v2.HorizontalPodAutoscalerSpec":     "scaleTargetRef minReplicas maxReplicas metrics behavior",
	"api/autoscaling/v2.HorizontalPodAutoscalerStatus": `
		observedGeneration lastScaleTime currentReplicas desiredReplicas currentMetrics conditions`,
	"api/autoscaling/v2.MetricIdentifier":     "name selector",
	"api/autoscaling/v2.MetricSpec":           "type object pods resource containerResource external",
	"api/autoscaling/v2.MetricTarget":         "type value averageValue averageUtilization",
	"api/autoscaling/v2.ObjectMetricSource":   "describedObject target metric",
	"api/autoscaling/v2.PodsMetricSource":     "metric target",
	"api/autoscaling/v2.ResourceMetricSource": "name target",
	"api/batch/v1.CronJob":                    "TypeMeta metadata spec status",
	"api/batch/v1.CronJobSpec": `
		schedule timeZone startingDeadlineSeconds concurrencyPolicy suspend jobTemplate successfulJobsHistoryLimit
		failedJobsHistoryLimit`,
	"api/batch/v1.CronJobStatus":              "active lastScheduleTime lastSuccessfulTime",
	"api/batch/v1.Job":                        "TypeMeta metadata spec status",
	"api/batch/v1.JobSchedulingConfiguration": "schedulingPolicy schedulingConstraints disruptionMode resourceClaims",
	"api/batch/v1.JobSpec": `
		parallelism completions activeDeadlineSeconds podFailurePolicy successPolicy backoffLimit backoffLimitPerIndex
		maxFailedIndexes selector manualSelector template ttlSecondsAfterFinished completionMode suspend
		podReplacementPolicy managedBy scheduling`,
	"api/batch/v1.JobStatus": `
		conditions startTime completionTime active succeeded failed terminating completedIndexes failedIndexes
		uncountedTerminatedPods ready`,
	"api/batch/v1.JobTemplateSpec":                        "metadata spec",
	"api/batch/v1.PodFailurePolicy":                       "rules",
	"api/batch/v1.PodFailurePolicyOnExitCodesRequirement": "containerName operator values",
	"api/batch/v1.PodFailurePolicyOnPodConditionsPattern": "type status",
	"api/batch/v1.PodFailurePolicyRule":                   "action onExitCodes onPodConditions",
	"api/batch/v1.SuccessPolicy":                          "rules",
	"api/batch/v1.SuccessPolicyRule":                      "succeededIndexes succeededCount",
	"api/batch/v1.UncountedTerminatedPods":                "succeeded failed",
	"api/core/v1.Binding":                                 "TypeMeta metadata target",
	"api/core/v1.Container": `
		name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules
		volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath
		terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty`,
	"api/core/v1.ContainerResizePolicy":           "resourceName restartPolicy",
	"api/core/v1.ContainerRestartRule":            "action exitCodes",
	"api/core/v1.ContainerRestartRuleOnExitCodes": "operator values",
	"api/core/v1.EphemeralContainer":              "EphemeralContainerCommon targetContainerName",
	"api/core/v1.EphemeralContainerCommon": `
		name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules
		volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath
		terminationMessagePolicy imagePullPolicy securityContext stdin stdinOnce tty`,
	"api/core/v1.EvictionResponder":                  "name priority",
	"api/core/v1.Namespace":                          "TypeMeta metadata spec status",
	"api/core/v1.NamespaceSpec":                      "finalizers",
	"api/core/v1.NamespaceStatus":                    "phase conditions",
	"api/core/v1.Node":                               "TypeMeta metadata spec status",
	"api/core/v1.NodeAllocatableMappedResources":     "name quantity",
	"api/core/v1.NodeAllocatableOverheadResources":   "name perPod perContainer",
	"api/core/v1.NodeAllocatableResourceClaimStatus": "resourceClaimName containers mapping overhead",
	"api/core/v1.NodePodPreemptionPolicy":            "disableResizePreemption",
	"api/core/v1.NodeSpec":                           "podCIDR podCIDRs providerID unschedulable taints configSource externalID podPreemptionPolicy",
	"api/core/v1.Pod":                                "TypeMeta metadata spec status",
	"api/core/v1.PodOS":                              "name",
	"api/core/v1.PodReadinessGate":                   "conditionType",
	"api/core/v1.PodResourceClaim":                   "name resourceClaimName resourceClaimTemplateName",
	"api/core/v1.PodSchedulingGate":                  "name",
	"api/core/v1.PodSchedulingGroup":                 "podGroupName",
	"api/core/v1.PodSpec": `
		volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds
		activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount automountServiceAccountToken
		nodeName hostNetwork hostPID hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain
		affinity schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates
		runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints setHostnameAsFQDN os
		hostUsers schedulingGates resourceClaims resources hostnameOverride schedulingGroup evictionResponders`,
	"api/core/v1.PodStatus": `
		observedGeneration phase conditions message reason nominatedNodeName hostIP hostIPs podIP podIPs startTime
		initContainerStatuses containerStatuses qosClass ephemeralContainerStatuses resize resourceClaimStatuses
		extendedResourceClaimStatus allocatedResources resources nodeAllocatableResourceClaimStatuses volumeHealth`,
	"api/core/v1.PodTemplateSpec":           "metadata spec",
	"api/core/v1.PodVolumeHealth":           "name healthConditions lastTransitionTime",
	"api/core/v1.ReplicationController":     "TypeMeta metadata spec status",
	"api/core/v1.ReplicationControllerSpec": "replicas minReadySeconds selector template",
	"api/core/v1.ReplicationControllerStatus": `
		replicas fullyLabeledReplicas readyReplicas availableReplicas observedGeneration conditions`,
	"api/core/v1.ResourceClaim":             "name request",
	"api/core/v1.ResourceRequirements":      "limits requests claims",
	"api/core/v1.Taint":                     "key value effect timeAdded",
	"api/core/v1.Toleration":                "key operator value effect tolerationSeconds",
	"api/core/v1.VolumeHealthCondition":     "status reason message",
	"api/policy/v1.Eviction":                "TypeMeta metadata deleteOptions",
	"api/policy/v1.PodDisruptionBudget":     "TypeMeta metadata spec status",
	"api/policy/v1.PodDisruptionBudgetSpec": "minAvailable selector maxUnavailable unhealthyPodEvictionPolicy",
	"api/policy/v1.PodDisruptionBudgetStatus": `
		observedGeneration disruptedPods disruptionsAllowed currentHealthy desiredHealthy expectedPods conditions`,
	"api/scheduling/v1alpha3.TopologyConstraint":                    "key",
	"api/scheduling/v1alpha3.WorkloadPodGroupDisruptionMode":        "single all",
	"api/scheduling/v1alpha3.WorkloadPodGroupGangSchedulingPolicy":  "minCount",
	"api/scheduling/v1alpha3.WorkloadPodGroupResourceClaim":         "name resourceClaimName resourceClaimTemplateName",
	"api/scheduling/v1alpha3.WorkloadPodGroupSchedulingConstraints": "topology",
	"api/scheduling/v1alpha3.WorkloadPodGroupSchedulingPolicy":      "basic gang",
	"apimachinery/pkg/apis/meta/v1.DeleteOptions": `
		TypeMeta gracePeriodSeconds preconditions orphanDependents propagationPolicy dryRun
		ignoreStoreReadErrorWithClusterBreakingPotential`,
	"apimachinery/pkg/apis/meta/v1.LabelSelector":            "matchLabels matchExpressions",
	"apimachinery/pkg/apis/meta/v1.LabelSelectorRequirement": "key operator values",
	"apimachinery/pkg/apis/meta/v1.ObjectMeta": `
		name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp
		deletionGracePeriodSeconds labels annotations ownerReferences finalizers managedFields`,
	"apimachinery/pkg/apis/meta/v1.OwnerReference": "apiVersion kind name uid controller blockOwnerDeletion",
	"apimachinery/pkg/apis/meta/v1.Preconditions":  "uid resourceVersion",
	"apimachinery/pkg/apis/meta/v1.TypeMeta":       "kind apiVersion",
}

// reviewedValues are the same for enumerations. Recreate of a StatefulSet is off by default in 1.37.
var reviewedValues = map[string]string{
	"apps/v1.DaemonSetUpdateStrategyType":              "RollingUpdate OnDelete",
	"apps/v1.DeploymentStrategyType":                   "Recreate RollingUpdate",
	"apps/v1.PersistentVolumeClaimRetentionPolicyType": "Retain Delete",
	"apps/v1.PodManagementPolicyType":                  "OrderedReady Parallel",
	"apps/v1.StatefulSetUpdateStrategyType":            "RollingUpdate OnDelete Recreate",
	"autoscaling/v2.MetricSourceType":                  "Object Pods Resource ContainerResource External",
	"autoscaling/v2.ScalingPolicySelect":               "Max Min Disabled",
	"batch/v1.CompletionMode":                          "NonIndexed Indexed",
	"batch/v1.ConcurrencyPolicy":                       "Allow Forbid Replace",
	"batch/v1.PodFailurePolicyAction":                  "FailJob FailIndex Ignore Count",
	"batch/v1.PodReplacementPolicy":                    "TerminatingOrFailed Failed",
	"core/v1.ContainerRestartPolicy":                   "Always Never OnFailure",
	"core/v1.ContainerRestartRuleAction":               "Restart RestartAllContainers",
	"core/v1.FinalizerName":                            "kubernetes",
	"core/v1.NamespacePhase":                           "Active Terminating",
	"core/v1.PodConditionType": `
		ContainersReady Initialized Ready PodScheduled DisruptionTarget PodReadyToStartContainers PodResizePending
		PodResizeInProgress AllContainersRestarting`,
	"core/v1.PodPhase":                         "Pending Running Succeeded Failed Unknown",
	"core/v1.PreemptionPolicy":                 "PreemptLowerPriority Never",
	"core/v1.ResourceResizeRestartPolicy":      "NotRequired RestartContainer",
	"core/v1.RestartPolicy":                    "Always OnFailure Never",
	"core/v1.TaintEffect":                      "NoSchedule PreferNoSchedule NoExecute",
	"core/v1.TolerationOperator":               "Exists Equal Lt Gt",
	"policy/v1.UnhealthyPodEvictionPolicyType": "IfHealthyBudget AlwaysAllow",
}
