"""Serve a folder of models as a Hub on this machine, and search it with the real client.

python examples/loopback_hub.py ROWS           the demo's models
python examples/loopback_hub.py ROWS MODELS    your folder of repositories

No token and no network are needed; what is downloaded goes to a temporary HF_HOME.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from catalog.testing import LoopbackHub
from recommender.demo import ZOO

rows = sys.argv[1]
models = sys.argv[2] if len(sys.argv) > 2 else ZOO
search = ["find", rows, "--require=accuracy >= 0.80", "--source=hub", "--backend=onnxruntime"]

with LoopbackHub(Path(models)) as hub, tempfile.TemporaryDirectory() as hf_home:
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": hf_home,
        "HF_HUB_OFFLINE": "0",
        "RECOMMENDER_HOME": f"{hf_home}/recommender",
    }
    done = subprocess.run([sys.executable, "-m", "recommender", *search], env=environment)
    downloads = [path for _, path in hub.requests if path.endswith(".safetensors")]

print(f"{hub.endpoint} answered {len(hub.requests)} requests, {len(downloads)} for weights")
sys.exit(done.returncode)
