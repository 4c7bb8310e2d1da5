// Command pulumi-resource-docker is the provider plugin for Pulumi's SDK for Docker.
package main

import (
	_ "embed"
	"runtime/debug"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/terraform-providers/terraform-provider-docker/pulumi-resource-docker/provider"
)

// schema is what the generator wrote. Making it at each start instead would cost 40 ms.
//
//go:embed schema.json
var schema []byte

func main() {
	// A provider lives for one command and allocates little: collecting garbage would only delay it.
	debug.SetGCPercent(400)
	tfbridge.Main(provider.Name, provider.Version, provider.Info(), schema)
}
