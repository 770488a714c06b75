// Package deploy tests what is in the folder deploy, without a cluster and
// without a container engine: the manifests are rendered by the libraries of
// kustomize and Helm, read strictly into the types of Kubernetes and of the
// Prometheus operator, and then judged by rules about what they mean. Each rule
// is shown to catch a planted fault.
//
// It is a module of its own, so that nobody who uses redpoll needs those
// libraries.
package deploy
