// Command generate writes the schema of the Docker provider to its standard output.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfgen"
	"github.com/pulumi/pulumi/sdk/v3/go/common/diag"
	"github.com/terraform-providers/terraform-provider-docker/pulumi-resource-docker/provider"
)

func main() {
	log.SetFlags(0)
	result, err := tfgen.GenerateSchemaWithOptions(tfgen.GenerateSchemaOptions{
		ProviderInfo:    provider.Info(),
		DiagnosticsSink: diag.DefaultSink(io.Discard, os.Stderr, diag.FormatOptions{Color: "never"}),
		XInMemoryDocs:   true, // the descriptions in the code suffice: no repository to look for
	})
	if err != nil {
		log.Fatalf("generating the schema: %v", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result.PackageSpec); err != nil {
		log.Fatalf("writing the schema: %v", err)
	}
}
