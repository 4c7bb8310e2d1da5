"""Pulumi runs this as `pulumi-resource-datadocker-engine`."""

import gc

# what is imported lives as long as the process: looking for garbage among it is a third of the start
gc.disable()

from provider.server import serve  # noqa: E402

gc.freeze()
gc.enable()
serve()
