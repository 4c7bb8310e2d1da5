// Package provider describes the Terraform provider for Docker in the terms of Pulumi's SDK for Docker: the names that
// the SDK uses, and the behaviours that it expects beyond those names.
package provider

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	upstream "github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

const (
	// Name is the package's name.
	Name = "docker"
	// Version is the SDK's: the CLI looks for exactly that plugin.
	Version = "5.2.0"

	module = "index"
	// maxName is the longest name that is made up for a resource without one.
	maxName = 255
)

// named keeps the SDK's name for a property, where the rule would make up another (mostly a plural).
func named(name string) *tfbridge.SchemaInfo { return &tfbridge.SchemaInfo{Name: name} }

// Info describes the provider.
func Info() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:           shimv2.NewProvider(upstream.New(Version)()),
		Name:        Name,
		Version:     Version,
		DisplayName: "Docker",
		Description: "Docker resources, for Pulumi's SDK for Docker",
		Config: map[string]*tfbridge.SchemaInfo{
			"host": {Default: &tfbridge.DefaultInfo{
				EnvVars: []string{"DOCKER_HOST"},
				Value:   "unix:///var/run/docker.sock",
			}},
			"registry_auth": named("registryAuth"),
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_config": {Tok: tfbridge.MakeResource(Name, module, "ServiceConfig")},
			"docker_container": {
				// Two containers cannot publish one port or hold one name.
				DeleteBeforeReplace: true,
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           named("command"),
					"networks_advanced": named("networksAdvanced"),
				},
			},
			"docker_image": {
				Tok: tfbridge.MakeResource(Name, module, "RemoteImage"),
				// The name says which image to pull: none can be made up.
				Fields: map[string]*tfbridge.SchemaInfo{"name": named("name")},
			},
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image": {Tok: tfbridge.MakeDataSource(Name, module, "getRemoteImage")},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", module, tokens.MakeStandard(Name)))
	info.SetAutonaming(maxName, "-")
	return info
}
