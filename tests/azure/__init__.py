"""A stand-in for Azure: a Pulumi provider that answers for azure-native under the unmodified SDK."""
