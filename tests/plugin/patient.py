"""`python3 -m tests.plugin.patient`: the plugin, which gives an engine more time to answer than a busy machine takes.

FENCE_SECONDS, as JSON, are constants of its fence.
"""

import json
import os
import sys

from azurefile import engine, fence
from azurefile.__main__ import main

if __name__ == "__main__":
    engine._CLAIM_SECONDS = 20.0
    for name, seconds in json.loads(os.environ["FENCE_SECONDS"]).items():
        setattr(fence, name, seconds)
    sys.exit(main())
