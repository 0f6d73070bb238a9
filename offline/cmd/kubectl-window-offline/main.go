// Command kubectl-window-offline does what kubectl window does without a cluster: kubectl window lint, test and replay run it.
package main

func main() {}
